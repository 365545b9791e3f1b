/** How many looks and how long, by agent, camera, commune and hour of the day; refusals by code. */

import type { ReactNode } from "react";
import { journalStatistics, type JournalStatistics, type Sum } from "../api/types";
import { Asked } from "../lib/asked";
import { dayAndClock, duration, SECOND_MS } from "../lib/time";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import type { Asking } from "./looks";
import { PeriodForm, type Scope } from "./period-form";
import { NOBODY, periodPath, type Subject } from "./query";

const { journal } = fr;

interface Props {
  readonly scope: Scope;
  readonly asking: Asking;
  readonly onAsk: (asking: Asking) => void;
  readonly onLooks: (asking: Asking) => void;
}

export function Statistics(props: Props): ReactNode {
  const { scope, asking, onAsk } = props;
  const subject = { ...NOBODY, commune: asking.subject.commune };
  return (
    <>
      <PeriodForm scope={scope} period={asking.period} subject={subject} hasSubject={false} onAsk={(period, chosen) => onAsk({ period, subject: chosen })} />
      <Asked path={periodPath("statistics", asking.period, subject)} decoder={journalStatistics}>
        {(told) => <Tables told={told} {...props} />}
      </Asked>
    </>
  );
}

function Tables({ told, asking, onLooks }: Props & { told: JournalStatistics }): ReactNode {
  const { period } = asking;
  const see = (subject: Partial<Subject>) => () => onLooks({ period, subject: { ...NOBODY, ...subject } });
  const span = journal.span(dayAndClock(period.from), dayAndClock(period.to));
  return (
    <div className="figures" data-testid="statistics">
      <Sums title={journal.byAgent} head={journal.agent} span={span} sums={told.agents} onSee={(key) => see({ person: key })} testid="statistics-agents" />
      <Sums title={journal.byCamera} head={journal.camera} span={span} sums={told.cameras} onSee={(key) => see({ camera: key })} testid="statistics-cameras" />
      {told.communes.length > 1 && <Sums title={journal.byCommune} head={fr.tables.commune} span={span} sums={told.communes} onSee={(key) => see({ commune: key })} testid="statistics-communes" />}
      <Sums title={journal.byHour} head={journal.hour} span={span} sums={told.hours} testid="statistics-hours" />
      <section>
        <h2>{journal.byCode}</h2>
        <Table label={journal.byCode} caption={`${journal.byCode}, ${span}`} heads={[journal.code, journal.example, journal.number]} empty={told.refusals.length === 0} testid="statistics-refusals">
          {told.refusals.map(({ code, reason, count }) => <tr key={code}><th scope="row"><code>{code || "—"}</code></th><td>{reason}</td><td>{count}</td></tr>)}
        </Table>
      </section>
    </div>
  );
}

function Sums(props: { title: string; head: string; span: string; sums: readonly Sum[]; onSee?: (key: string) => () => void; testid: string }): ReactNode {
  const { onSee } = props;
  const most = Math.max(1, ...props.sums.map((one) => one.seconds));
  const heads = [props.head, journal.lives, journal.replays, journal.length, ...(onSee ? [journal.detail] : [])];
  return (
    <section>
      <h2>{props.title}</h2>
      <Table label={props.title} caption={`${props.title}, ${props.span}`} heads={heads} empty={props.sums.length === 0} testid={props.testid}>
        {props.sums.map((one) => (
          <tr key={one.key ?? one.name}>
            <th scope="row">{one.name || "—"}</th>
            <td>{one.live}</td>
            <td>{one.replay}</td>
            <td className="line">
              <svg className="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={(100 * one.seconds) / most} height={8} /></svg>
              {one.seconds === 0 ? "—" : duration(one.seconds * SECOND_MS)}
            </td>
            {onSee && <td>{one.key !== null && <button type="button" onClick={onSee(one.key)} data-testid="see">{journal.see}<span className="visually-hidden"> {one.name}</span></button>}</td>}
          </tr>
        ))}
      </Table>
    </section>
  );
}
