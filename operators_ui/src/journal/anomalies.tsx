/** What to look at first, with the rule that found it. None of it is a fault by itself. */

import type { ReactNode } from "react";
import { anomalies as anomaliesBody, type Anomalies as Body, type Anomaly } from "../api/types";
import { Asked } from "../lib/asked";
import { dayAndClock, duration, localMidnight, HOUR_MS, SECOND_MS } from "../lib/time";
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
  const subject = { ...NOBODY, commune: asking.subject.commune };
  return (
    <>
      <p className="quiet">{journal.anomaliesHelp}</p>
      <PeriodForm scope={props.scope} period={asking.period} subject={subject} hasSubject={false} onAsk={(period, chosen) => onAsk({ period, subject: chosen })} />
      <Asked path={periodPath("anomalies", asking.period, subject)} decoder={anomaliesBody}>
        {(told) => <Found told={told} caption={journal.span(dayAndClock(asking.period.from), dayAndClock(asking.period.to))} onLooks={props.onLooks} />}
      </Asked>
    </>
  );
}

function Found({ told, caption, onLooks }: { told: Body; caption: string; onLooks: (asking: Asking) => void }): ReactNode {
  const labels = new Map(told.rules.map((rule) => [rule.code, rule.label]));
  return (
    <>
      {told.anomalies.length === 0 && <p className="quiet" role="status" data-testid="anomalies-none">{journal.noAnomalies}</p>}
      {told.anomalies.length > 0 && (
        <Table
          label={journal.section.anomalies} caption={`${journal.section.anomalies}, ${caption}`} empty={false} testid="anomalies-table"
          heads={[journal.rule, journal.agent, journal.camera, journal.begun, journal.until, journal.measure, journal.detail]}
        >
          {told.anomalies.map((one, at) => (
            <tr key={at} data-testid="anomaly" data-code={one.code}>
              <th scope="row">{labels.get(one.code) ?? one.code}</th>
              <td>{one.author_name}</td>
              <td>{one.camera_name ?? "—"}</td>
              <td className="line">{dayAndClock(one.from)}</td>
              <td className="line">{dayAndClock(one.to)}</td>
              <td>{measure(one)}</td>
              <td><button type="button" onClick={() => onLooks(dayOf(one))} data-testid="see">{journal.see}<span className="visually-hidden"> {labels.get(one.code)}, {one.author_name}</span></button></td>
            </tr>
          ))}
        </Table>
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
