/** The security log: what was tried against the centre. Never polled: each reading is an entry of the journal. */

import { useState, type ReactNode } from "react";
import { security as securityBody, type SecurityEvent } from "../api/types";
import { Asked } from "../lib/asked";
import { dayAndClock } from "../lib/time";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { securityPath } from "./query";

const { security } = fr;

export function Security(): ReactNode {
  const [before, setBefore] = useState<number | null>(null);
  const [round, setRound] = useState(0);
  return (
    <div className="table-page sections">
      <header>
        <h1>{security.title}</h1>
        <button type="button" onClick={() => { setBefore(null); setRound(round + 1); }} data-testid="security-refresh">{fr.journal.refresh}</button>
      </header>
      <p className="quiet">{security.help}</p>
      <Asked key={round} path={securityPath(before)} decoder={securityBody}>
        {({ events, next }) => (
          <>
            {events.length === 0 ? <p className="quiet" role="status" data-testid="security-none">{security.none}</p> : (
              <Table
                label={security.title} caption={security.caption(events.length)} empty={false} testid="security-table"
                heads={[security.at, security.what, security.count, security.login, security.workstation, security.source]}
              >
                {events.map((one) => <Row key={one.n} one={one} />)}
              </Table>
            )}
            <div className="pager">
              <button type="button" disabled={before === null} onClick={() => setBefore(null)} data-testid="security-newest">{fr.journal.newest}</button>
              <button type="button" disabled={next === null} onClick={() => setBefore(next)} data-testid="security-older">{fr.journal.older}</button>
            </div>
          </>
        )}
      </Asked>
    </div>
  );
}

function Row({ one }: { one: SecurityEvent }): ReactNode {
  return (
    <tr data-code={one.code}>
      <td className="line">{dayAndClock(one.at)}</td>
      <th scope="row">{one.label} <small className="inline"><code>{one.code}</code></small></th>
      <td>{fr.journal.times(one.count)}</td>
      <td>{one.login ?? "—"}</td>
      <td>{one.workstation ?? "—"}</td>
      <td>{security.sources(one.source)}</td>
    </tr>
  );
}
