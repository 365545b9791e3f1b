import { useCallback, useState, type ReactNode } from "react";
import { watching as watchingBody } from "../api/types";
import { Looks, type Asking } from "../journal/looks";
import { useScope } from "../journal/period-form";
import { usePolled } from "../lib/poll";
import { dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "./parts";

const PERIOD_MS = 3_000;

export function Watching(): ReactNode {
  const { api } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/watching", watchingBody), [api]), PERIOD_MS);
  const { watching } = fr;
  return (
    <div className="table-page sections">
      <header><h1>{watching.title}</h1></header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(list) => list.length === 0 ? <p className="quiet" data-testid="watching-empty">{watching.empty}</p> : (
          <Table label={watching.title} heads={[watching.author, watching.camera, watching.commune, watching.act, watching.since]} empty={false} testid="watching-table">
            {list.map((one) => (
              <tr key={`${one.author} ${one.camera} ${one.act} ${one.since}`} data-camera={one.camera}>
                <td>{one.author}</td>
                <td>{one.camera_name}</td>
                <td>{one.commune ?? "—"}</td>
                <td>{fr.act(one.act)}</td>
                <td>{dayAndClock(one.since)}</td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
      <History />
    </div>
  );
}

/** Asked for by the person only: each reading is an entry of the journal. */
function History(): ReactNode {
  const scope = useScope();
  const [asking, setAsking] = useState<Asking | null>(null);
  return (
    <section className="commune" data-testid="history">
      <h2>{fr.watching.history}</h2>
      <p className="quiet">{fr.watching.historyHelp}</p>
      <Looks scope={scope} asking={asking} onAsk={setAsking} />
    </section>
  );
}
