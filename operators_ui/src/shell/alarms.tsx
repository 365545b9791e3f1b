/** The alarms bar: count and newest message, always on the screen; the list on demand. */

import { useCallback, useEffect, useId, type ReactNode } from "react";
import type { Api } from "../api/client";
import { alarms as alarmsBody, type Alarm } from "../api/types";
import type { Hints } from "../lib/hints";
import { usePolled, type Polled } from "../lib/poll";
import { clock, day, dayAndClock } from "../lib/time";
import { fr } from "../strings";
import { current, isAhead } from "./alarm-order";
import { useDesk } from "./context";
import { ReasonButton } from "./parts";

const PERIOD_MS = 4_000;


export type PolledAlarms = Polled<Alarm[]> & { readonly poke: () => void };

/** The centre's alarms, asked for once for all that shows them. */
export function useAlarms(api: Api, hints: Hints): PolledAlarms {
  const polled = usePolled(useCallback(() => api.get("/api/alarms", alarmsBody), [api]), PERIOD_MS);
  const { poke } = polled;
  useEffect(() => hints.on("alarms", poke), [hints, poke]);
  return polled;
}

export function AlarmsBar(props: { polled: PolledAlarms; open: boolean; onToggle: () => void }): ReactNode {
  const list = useId();
  const { now } = useDesk();
  const { value, problem, poke } = props.polled;
  const alarms = current(value ?? []);
  const newest = alarms[0];
  const isUnknown = problem !== null || value === null;
  const tone = isUnknown ? "unknown" : newest === undefined ? "quiet" : isAhead(newest) ? "ahead" : "raised";
  const count = newest && isAhead(newest) ? fr.alarms.ahead(alarms.length) : fr.alarms.count(alarms.filter((alarm) => !isAhead(alarm)).length);
  return (
    <div className="alarms">
      <button
        type="button" className={`alarms-button alarms-${tone}`} aria-expanded={props.open} aria-controls={list}
        data-testid="alarms-button" data-count={alarms.length} onClick={props.onToggle}
      >
        <strong>{problem ? fr.alarms.unknown : newest ? count : fr.alarms.none}</strong>
        {newest && <span className="alarms-newest">{newest.message}</span>}
        {newest && <time>{at(newest.since, now())}</time>}
      </button>
      <span className="visually-hidden" role="status">{newest ? `${count} : ${newest.message}` : ""}</span>
      {props.open && <AlarmsPanel id={list} alarms={value ?? []} isStale={isUnknown} onDone={poke} />}
    </div>
  );
}

/** The day too, when it is another. */
const at = (instant: number, now: number): string => (day(instant) === day(now) ? clock(instant) : dayAndClock(instant));

const MAY_ACKNOWLEDGE = new Set(["supervisor", "administrator"]);

function AlarmsPanel(props: { id: string; alarms: readonly Alarm[]; isStale: boolean; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const mayAcknowledge = MAY_ACKNOWLEDGE.has(session.account.role);
  const sorted = [...current(props.alarms), ...props.alarms.filter((alarm) => alarm.ended !== null)];
  return (
    <section id={props.id} className="panel alarms-panel" aria-label={fr.alarms.title} data-testid="alarms-panel">
      <h2>{fr.alarms.title}</h2>
      {props.isStale && <p className="notice notice-warning" role="status" data-testid="alarms-stale">{fr.alarms.stale}</p>}
      {sorted.length === 0 && !props.isStale && <p className="quiet">{fr.alarms.empty}</p>}
      <ul>
        {sorted.map((alarm) => (
          <li key={alarm.id} data-testid="alarm" data-code={alarm.code} className={alarm.ended === null ? "" : "quiet"}>
            <span>{alarm.message}</span>
            <small>
              {fr.alarms.since} {dayAndClock(alarm.since)}
              {alarm.ended !== null && ` · ${fr.alarms.ended} ${dayAndClock(alarm.ended)}`} · <code>{alarm.code}</code>
            </small>
            {mayAcknowledge && alarm.is_event && alarm.ended === null && (
              <ReasonButton
                label={fr.alarms.acknowledge} title={fr.alarms.acknowledgeTitle} warning={alarm.message}
                path={`/api/alarms/${alarm.id}/acknowledge`} testid="acknowledge" id={String(alarm.id)} onDone={props.onDone}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
