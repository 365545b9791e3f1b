/** Who watched what, when, and what was really served: the same looks as lanes and as a table. */

import { useState, type ReactNode } from "react";
import { looks as looksBody, type Look } from "../api/types";
import { Asked } from "../lib/asked";
import { clock, day, dayAndClock, duration, exactClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { Amount } from "./amount";
import { lanesOf, type LaneOf } from "./lanes";
import { PeriodForm, type Scope } from "./period-form";
import { lastDays, NOBODY, periodPath, type Period, type Subject } from "./query";

const { journal } = fr;
const LANES: readonly LaneOf[] = ["person", "camera", "commune"];

export interface Asking {
  readonly period: Period;
  readonly subject: Subject;
}

/** Nothing is asked while `asking` is null: then the form proposes the last day. */
export function Looks(props: { scope: Scope; asking: Asking | null; onAsk: (asking: Asking) => void }): ReactNode {
  const { now } = useDesk();
  const [proposed] = useState<Asking>(() => ({ period: lastDays(now(), 1), subject: NOBODY }));
  const { scope, asking, onAsk } = props;
  return (
    <>
      <PeriodForm scope={scope} {...(asking ?? proposed)} hasSubject onAsk={(period, subject) => onAsk({ period, subject })} />
      {asking !== null && (
        <Asked path={periodPath("looks", asking.period, asking.subject)} decoder={looksBody}>
          {(found) => <Found looks={found.looks} isCut={found.is_cut} period={asking.period} scope={scope} />}
        </Asked>
      )}
    </>
  );
}

function Found(props: { looks: readonly Look[]; isCut: boolean; period: Period; scope: Scope }): ReactNode {
  const { looks, scope } = props;
  const caption = journal.looksCaption(dayAndClock(props.period.from), dayAndClock(props.period.to));
  if (looks.length === 0) return <p className="quiet" role="status" data-testid="looks-none">{journal.noLooks}</p>;
  const communeName = (insee: string): string => scope.communes.find((one) => one.insee === insee)?.name ?? insee;
  return (
    <>
      {props.isCut && <p className="notice notice-warning" role="status">{journal.cut(looks.length)}</p>}
      <Lanes looks={looks} hasCommunes={scope.communes.length > 1} period={props.period} communeName={communeName} />
      <Table
        label={caption} caption={`${caption} : ${journal.count(looks.length)}`} empty={false} testid="looks-table"
        heads={[journal.begun, journal.length, journal.agent, journal.camera, journal.act, journal.motif, journal.served, journal.ended, journal.workstation]}
      >
        {looks.map((look) => <Row key={`${look.begun_at} ${look.person} ${look.camera} ${look.leaf}`} look={look} communeName={communeName} />)}
      </Table>
    </>
  );
}

function Row({ look, communeName }: { look: Look; communeName: (insee: string) => string }): ReactNode {
  const { now } = useDesk();
  return (
    <tr data-testid="look" data-act={look.act} data-camera={look.camera ?? ""} data-open={look.ended_at === null}>
      <th scope="row" className="line">{dayAndClock(look.begun_at)}</th>
      <td className="line">{duration((look.ended_at ?? now()) - look.begun_at)}</td>
      <td>{look.author}<small>{fr.category(look.quality)}{look.authority && ` · ${look.authority}`}</small></td>
      <td>{look.camera_name}{look.commune && <small>{communeName(look.commune)}</small>}</td>
      <td>{fr.act(look.act)}</td>
      <td>{look.motif}{look.motif_reference && <small>{look.motif_reference}</small>}</td>
      <td className="line">
        {look.served.length === 0 ? journal.nothingServed(look.ended_at === null) : look.served.slice(0, 4).map((one) => <div key={one.from}>{look.act === "replay" && `${day(one.from)} `}{clock(one.from)} – {clock(one.to)}</div>)}
        {look.served.length > 4 && <small>{journal.moreIntervals(look.served.length - 4)}</small>}
        <Amount {...look} />
        {look.page_says_stepped_in.slice(0, 4).map((one) => <small key={one.from}>{exactClock(one.from)} – {exactClock(one.to)}</small>)}
        {look.page_says_stepped_in.length > 4 && <small>{journal.moreIntervals(look.page_says_stepped_in.length - 4)}</small>}
      </td>
      <td>{look.ended_at === null ? <Badge tone="warning">{journal.stillOpen}</Badge> : journal.endedBy(look.reason)}</td>
      <td>{look.workstation}</td>
    </tr>
  );
}

/** The table says the same: the drawing is for the eye only. */
function Lanes(props: { looks: readonly Look[]; hasCommunes: boolean; period: Period; communeName: (insee: string) => string }): ReactNode {
  const { now } = useDesk();
  const [by, setBy] = useState<LaneOf>("person");
  const lanes = lanesOf(props.looks, by, props.period, now(), props.communeName);
  return (
    <div className="lanes" data-testid="lanes" data-lanes={lanes.length}>
      <div className="segmented" role="group" aria-label={journal.lanesBy}>
        {LANES.filter((one) => one !== "commune" || props.hasCommunes).map((one) => <button key={one} type="button" aria-pressed={one === by} onClick={() => setBy(one)} data-testid={`lanes-${one}`}>{journal.lane[one]}</button>)}
      </div>
      <div className="lane-rows" aria-hidden="true">
        {lanes.map((lane) => (
          <div key={lane.key} className="lane">
            <span>{lane.name}</span>
            <svg viewBox="0 0 1000 10" preserveAspectRatio="none">
              {lane.bars.map((bar, at) => (
                <rect key={at} className={bar.act === "replay" ? "replayed" : "live"} x={bar.start * 1000} y={bar.act === "replay" ? 5 : 0} width={Math.max(2, bar.length * 1000)} height={5} />
              ))}
            </svg>
          </div>
        ))}
        <div className="lane"><span className="quiet">{journal.laneKey}</span><span className="ends"><span>{dayAndClock(props.period.from)}</span><span>{dayAndClock(props.period.to)}</span></span></div>
      </div>
    </div>
  );
}
