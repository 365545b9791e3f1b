/** The register of legal bases of automatic analysis: proposed by one person, registered by another, ended by one. */

import { useCallback, type ReactNode } from "react";
import { bases as basesBody, territory as territoryBody, type Basis } from "../api/types";
import { useOffered } from "../lib/asked";
import { usePolled } from "../lib/poll";
import { day, lastDay } from "../lib/time";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Badge, Loaded } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { endOf, fromLocal, localDay } from "./local-input";
import { DECIDES } from "./sections";
import { Step } from "./step";

const PERIOD_MS = 5_000;
const words = fr.recording.bases;

export function Bases(props: { onWaiting: () => void }): ReactNode {
  const { api, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/legal-bases", basesBody), [api]), PERIOD_MS);
  const decides = DECIDES.has(session.account.role);
  return (
    <>
      <header>
        <h1>{words.title}</h1>
        {decides && (
          <Step label={words.propose} title={words.proposeTitle} path="/api/legal-bases" testid="propose-basis" onDone={poke} body={basisOf} primary>
            <BasisFields />
          </Step>
        )}
      </header>
      <p className="quiet">{words.help}</p>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {({ bases, proposed }) => (
          <>
            {proposed.length > 0 && (
              <p className="notice notice-warning" role="status" data-testid="bases-proposed">
                {words.waiting(proposed.length)}
                {decides && <button type="button" onClick={props.onWaiting} data-testid="see-waiting">{words.see}</button>}
              </p>
            )}
            {bases.length === 0 ? <p className="quiet" data-testid="bases-none">{words.none}</p> : (
              <Table
                label={words.title} caption={words.caption} empty={false} testid="bases-table"
                heads={[words.what, fr.recording.camera, words.reference, fr.tables.period, words.registeredAt, fr.tables.state, ...(decides ? [fr.tables.action] : [])]}
              >
                {bases.map((one) => <Row key={one.id} one={one} decides={decides} onDone={poke} />)}
              </Table>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, decides, onDone }: { one: Basis; decides: boolean; onDone: () => void }): ReactNode {
  const { now } = useDesk();
  const ends = Math.min(one.to, one.ended_at ?? one.to);
  const state = now() >= ends ? "over" : now() < one.from ? "future" : "in-force";
  return (
    <tr data-id={one.id} data-state={state}>
      <th scope="row">{one.label}</th>
      <td><span className="number">{one.camera.number}</span> {one.camera.name}<small>{one.camera.commune.name}</small></td>
      <td>{one.reference}</td>
      <td className="line">{day(one.from)} – {fr.tables.until(lastDay(one.to))}</td>
      <td className="line">{day(one.registered_at)}</td>
      <td>
        <Badge tone={state === "in-force" ? "good" : state === "future" ? "warning" : "quiet"}>{words.states[state]}</Badge>
        {one.ended_at !== null && <small>{words.endedAt(day(one.ended_at))}</small>}
      </td>
      {decides && <td>{state !== "over" && (
        <Step label={words.end} title={`${words.end} : ${one.label}`} path={`/api/legal-bases/${one.id}/end`} testid="end-basis" onDone={onDone} body={() => ({})}>
          <p className="notice notice-warning">{words.endHelp}</p>
        </Step>
      )}</td>}
    </tr>
  );
}

/** Every camera is offered: for one on the street the centre refuses, and says by which text. */
function BasisFields(): ReactNode {
  const { now } = useDesk();
  const communes = useOffered("/api/territory", territoryBody) ?? [];
  return (
    <>
      <p className="quiet">{words.proposeHelp}</p>
      <label>
        {words.what}
        <select name="function" required autoFocus defaultValue="">
          <option value="" disabled>{fr.tables.choose}</option>
          {Object.entries(words.functions).map(([code, label]) => <option key={code} value={code}>{label}</option>)}
        </select>
      </label>
      <label>
        {fr.recording.camera}
        <select name="camera" required defaultValue="">
          <option value="" disabled>{fr.tables.choose}</option>
          {communes.filter((commune) => commune.cameras.length > 0).map((commune) => (
            <optgroup key={commune.insee} label={commune.name}>
              {commune.cameras.map((camera) => <option key={camera.id} value={camera.id}>{camera.number} {camera.name} ({fr.persons.regime(camera.regime)})</option>)}
            </optgroup>
          ))}
        </select>
      </label>
      <label>{words.reference}<input name="reference" required minLength={3} maxLength={120} autoComplete="off" /></label>
      <div className="pair">
        <label>{fr.tables.from}<DateField kind="day" name="from" required defaultValue={localDay(now())} /></label>
        <label>{fr.tables.to}<DateField kind="day" name="to" required /></label>
      </div>
    </>
  );
}

/** Civil days become their first instants in Paris. */
function basisOf(form: FormData): Readonly<Record<string, unknown>> {
  const instant = (civil: FormDataEntryValue | null): string | null => {
    const at = fromLocal(`${civil}T00:00`);
    return at === null ? null : new Date(at).toISOString();
  };
  return { camera: form.get("camera"), function: form.get("function"), reference: form.get("reference"), from: instant(form.get("from")), to: instant(endOf(form.get("to"))) };
}
