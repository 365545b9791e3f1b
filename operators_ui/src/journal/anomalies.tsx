/** What to look at first, with the rule that found it. None of it is a fault by itself. */

import { useState, type ReactNode } from "react";
import { anomalies as anomaliesBody, type Anomalies as Body, type Anomaly } from "../api/types";
import { Asked } from "../lib/asked";
import { dayAndClock, duration, localMidnight, HOUR_MS, SECOND_MS } from "../lib/time";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import type { Asking } from "./looks";
import { PeriodForm, type Scope } from "./period-form";
import { NOBODY, periodPath } from "./query";

const { journal } = fr;

export function Anomalies(props: {
  scope: Scope; asking: Asking; onAsk: (asking: Asking) => void; onLooks: (asking: Asking) => void;
}): ReactNode {
  const { asking, onAsk } = props;
  const [round, setRound] = useState(0);
  const subject = { ...NOBODY, commune: asking.subject.commune };
  return (
    <>
      <p className="quiet">{journal.anomaliesHelp}</p>
      <PeriodForm scope={props.scope} period={asking.period} subject={subject} hasSubject={false} onAsk={(period, chosen) => onAsk({ period, subject: chosen })} />
      <Asked key={round} path={periodPath("anomalies", asking.period, subject)} decoder={anomaliesBody}>
        {(told) => (
          <Found
            told={told} caption={journal.span(dayAndClock(asking.period.from), dayAndClock(asking.period.to))} onLooks={props.onLooks}
            seenPath={periodPath("anomalies/seen", asking.period, subject)} onSeen={() => setRound(round + 1)}
          />
        )}
      </Asked>
    </>
  );
}

interface FoundProps {
  readonly told: Body;
  readonly caption: string;
  readonly onLooks: (asking: Asking) => void;
  readonly seenPath: string;
  readonly onSeen: () => void;
}

/** What has been looked into is folded away. */
function Found(props: FoundProps): ReactNode {
  const { told } = props;
  const open = told.anomalies.filter((one) => one.seen === null);
  const seen = told.anomalies.filter((one) => one.seen !== null);
  return (
    <>
      {open.length === 0 && <p className="quiet" role="status" data-testid="anomalies-none">{seen.length === 0 ? journal.noAnomalies : journal.allSeen}</p>}
      {open.length > 0 && <Rows {...props} list={open} testid="anomalies-table" />}
      {seen.length > 0 && (
        <details data-testid="anomalies-seen">
          <summary>{journal.seenCount(seen.length)}</summary>
          <Rows {...props} list={seen} testid="seen-table" />
        </details>
      )}
      <details>
        <summary>{journal.rules}</summary>
        <Table label={journal.rules} caption={journal.rules} heads={[journal.rule, journal.bound]} empty={false} testid="rules-table">
          {told.rules.map((rule) => <tr key={rule.code}><th scope="row">{rule.label}</th><td>{rule.bound}</td></tr>)}
        </Table>
      </details>
    </>
  );
}

function Rows({ told, caption, onLooks, seenPath, onSeen, list, testid }: FoundProps & { list: readonly Anomaly[]; testid: string }): ReactNode {
  const { session } = useDesk();
  const labels = new Map(told.rules.map((rule) => [rule.code, rule.label]));
  return (
    <Table
      label={journal.section.anomalies} caption={`${journal.section.anomalies}, ${caption}`} empty={false} testid={testid}
      heads={[journal.rule, journal.agent, journal.camera, journal.begun, journal.until, journal.measure, journal.detail]}
    >
      {list.map((one) => {
        const what = `${labels.get(one.code) ?? one.code}, ${one.author_name}`;
        return (
          <tr key={one.id} data-testid="anomaly" data-code={one.code}>
            <th scope="row">{labels.get(one.code) ?? one.code}</th>
            <td>{one.author_name}</td>
            <td>{one.camera_name ?? "—"}</td>
            <td className="line">{dayAndClock(one.from)}</td>
            <td className="line">{dayAndClock(one.to)}</td>
            <td>{measure(one)}</td>
            <td>
              <button type="button" onClick={() => onLooks(dayOf(one))} data-testid="see">{journal.see}<span className="visually-hidden"> {what}</span></button>{" "}
              {one.seen !== null && <small data-testid="seen">{journal.seenBy(one.seen.by, dayAndClock(one.seen.at))} : {one.seen.comment}</small>}
              {one.seen === null && session.account.role === "auditor" && (
                <Step
                  label={journal.markSeen} title={journal.markSeenTitle(what)} path={seenPath} testid="mark-seen" onDone={onSeen}
                  body={(form) => ({ anomaly: one.id, comment: form.get("comment") })}
                >
                  <p className="quiet">{journal.markSeenHelp}</p>
                  <label>{journal.comment}<input name="comment" required minLength={3} maxLength={200} autoComplete="off" autoFocus data-testid="comment" /></label>
                </Step>
              )}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

function measure(one: Anomaly): string {
  if (one.seconds > 0) return duration(one.seconds * SECOND_MS);
  const times = one.count > 0 ? journal.times(one.count) : "";
  return [one.reference, times].filter(Boolean).join(" · ") || "—";
}

/** The whole days of what was found, of that agent on that camera. */
const dayOf = (one: Anomaly): Asking => ({
  period: { from: localMidnight(one.from), to: localMidnight(one.to + 26 * HOUR_MS) },
  subject: { ...NOBODY, person: one.author, camera: one.camera ?? "" },
});
