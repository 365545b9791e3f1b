import type { ReactNode } from "react";
import type { Timeline } from "../api/types";
import { dayAndClock, duration } from "../lib/time";
import { fr } from "../strings";
import { rows } from "./rows";
import type { Window } from "./scale";

/** The timeline for those who do not see the canvas, and for reading exact times. */
export function TimelineTable(props: { data: Timeline; window: Window; onPick: (at: number) => void }): ReactNode {
  return (
    <details className="timeline-table" data-testid="timeline-table">
      <summary>{fr.timeline.table}</summary>
      <div className="table-scroll" role="region" aria-label={fr.timeline.table} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{fr.timeline.kind}</th>
              <th scope="col">{fr.timeline.from}</th>
              <th scope="col">{fr.timeline.to}</th>
              <th scope="col">{fr.timeline.length}</th>
              <th scope="col">{fr.timeline.cause}</th>
              <th scope="col">{fr.camera.replay}</th>
            </tr>
          </thead>
          <tbody>
            {rows(props.data, props.window).map((row) => (
              <tr key={`${row.kind} ${row.from}`} data-kind={row.kind} data-cause={row.cause ?? ""}>
                <td>{fr.timeline[row.kind]}</td>
                <td>{dayAndClock(row.from)}</td>
                <td>{dayAndClock(row.to)}</td>
                <td>{duration(row.to - row.from)}</td>
                <td>{row.cause !== null && fr.cause(row.cause)}{row.reason && ` : ${row.reason}`}</td>
                <td>
                  {row.kind === "run" && (
                    <button type="button" onClick={() => props.onPick(Math.max(row.from, props.window.from))}>{fr.motif.submit}</button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
