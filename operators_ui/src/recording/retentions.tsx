/** How long each camera's recordings are kept, and the proposal of another time, which a second person confirms. */

import { useCallback, type ReactNode } from "react";
import { retentions as retentionsBody, type Retention } from "../api/types";
import { usePolled } from "../lib/poll";
import { clock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { MotifFields, motifIn } from "./motif-fields";
import { DECIDES } from "./sections";
import { Step } from "./step";

const PERIOD_MS = 5_000;
const words = fr.recording.retentions;

export function Retentions(props: { onWaiting: () => void }): ReactNode {
  const { api, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/retentions", retentionsBody), [api]), PERIOD_MS);
  const decides = DECIDES.has(session.account.role);
  return (
    <>
      <header><h1>{words.title}</h1></header>
      <p className="quiet">{words.help}</p>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(list) => (
          <Table
            label={words.title} caption={words.caption} empty={list.length === 0} testid="retentions-table"
            heads={[fr.recording.camera, words.authorised, words.minimum, words.kept, words.pending, ...(decides ? [fr.tables.action] : [])]}
          >
            {list.map((one) => <Row key={one.camera.id} one={one} decides={decides} onDone={poke} {...props} />)}
          </Table>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, decides, onDone, onWaiting }: { one: Retention; decides: boolean; onDone: () => void; onWaiting: () => void }): ReactNode {
  const { camera, authorised, minimum, kept, pending } = one;
  const what = `${camera.number} ${camera.name}`;
  return (
    <tr data-camera={camera.id} data-kept={kept ?? ""}>
      <th scope="row"><span className="number">{camera.number}</span> {camera.name}<small>{camera.commune.name}</small></th>
      <td>{authorised === null ? <Badge tone="warning">{words.none}</Badge> : fr.tables.days(authorised)}</td>
      <td>{minimum === null ? "—" : fr.tables.days(minimum)}</td>
      <td>{kept === null ? "—" : fr.tables.days(kept)}{kept !== null && authorised !== null && kept < authorised && <small>{words.shortened}</small>}</td>
      <td>{pending === null ? "—" : <>{words.proposed(pending.proposed_by, clock(pending.expires_at))}<small>{pending.reason}</small></>}</td>
      {decides && <td>
        {pending !== null && <button type="button" onClick={onWaiting} data-testid="see-waiting">{words.see}<span className="visually-hidden"> {what}</span></button>}
        {pending === null && authorised !== null && (
          <Step
            label={words.propose} title={words.proposeTitle(what)} path={`/api/cameras/${camera.id}/retention`} testid="propose-retention" onDone={onDone}
            body={(form) => ({ days: Number(form.get("days")), motif: motifIn(form) })}
          >
            <p className="notice notice-warning">{words.proposeHelp(authorised)}</p>
            <label>{words.days}<input name="days" type="number" min={1} required defaultValue={kept ?? authorised} autoFocus /></label>
            <MotifFields act="retention" />
          </Step>
        )}
      </td>}
    </tr>
  );
}
