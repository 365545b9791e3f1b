import { useCallback, useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { Failed, Refused } from "../api/client";
import { holds as holdsBody, putHold, type Camera, type Hold, type PutHold } from "../api/types";
import { dayAndClock, HOUR_MS } from "../lib/time";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Badge, Dialog, Loaded, Problem } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { size } from "./arithmetic";
import { CameraChoice, useCameras } from "./camera-choice";
import { fromLocal, toLocal } from "./local-input";
import { MotifFields, motifIn } from "./motif-fields";
import { Step } from "./step";

const MAY_PUT = new Set(["supervisor"]);

/** Never polled: each look at the holds is an entry of the journal. */
export function Holds(): ReactNode {
  const { api, session } = useDesk();
  const cameras = useCameras();
  const [value, setValue] = useState<readonly Hold[] | null>(null);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const [putting, setPutting] = useState(false);
  const [put, setPut] = useState<PutHold | null>(null);
  const load = useCallback(async (): Promise<void> => {
    const answer = await api.get("/api/holds", holdsBody);
    if (answer.kind !== "ok") return setProblem(answer);
    setProblem(null);
    setValue(answer.value);
  }, [api]);
  useEffect(() => void load(), [load]);
  const words = fr.recording.holds;
  const names = new Map(cameras.map((camera) => [camera.id, camera]));
  return (
    <>
      <header>
        <h1>{words.title}</h1>
        {MAY_PUT.has(session.account.role) && (
          <button type="button" className="primary" onClick={() => setPutting(true)} data-testid="put-hold">{words.put}</button>
        )}
        <button type="button" onClick={() => void load()} data-testid="holds-refresh">{fr.journal.refresh}</button>
      </header>
      <p className="quiet">{words.help}</p>
      {put !== null && <p className="notice" role="status" data-testid="hold-put">{words.kept(put.segments, size(put.bytes))}</p>}
      {putting && (
        <PutDialog
          cameras={cameras} onClose={() => setPutting(false)}
          onDone={(done) => { setPut(done); setPutting(false); void load(); }}
        />
      )}
      <Loaded value={value} problem={problem} onRetry={() => void load()}>
        {(holds) => (
          <Table
            label={words.title} heads={[words.requisition, fr.recording.camera, words.from, words.to, words.putAt, words.state, words.decision]}
            empty={holds.length === 0} testid="holds-table"
          >
            {holds.map((hold) => <Row key={hold.id} hold={hold} camera={names.get(hold.camera)} onDone={() => void load()} />)}
          </Table>
        )}
      </Loaded>
    </>
  );
}

function Row({ hold, camera, onDone }: { hold: Hold; camera: Camera | undefined; onDone: () => void }): ReactNode {
  const words = fr.recording.holds;
  const state = hold.released_at !== null ? "released" : hold.release_proposed_at !== null ? "proposed" : "in_force";
  return (
    <tr data-id={hold.id} data-state={state}>
      <td>{hold.requisition}</td>
      <td>{camera && <><span className="number">{camera.number}</span> {camera.name} <small>{camera.commune.name}</small></>}</td>
      <td className="line">{dayAndClock(hold.from)}</td>
      <td className="line">{dayAndClock(hold.to)}</td>
      <td className="line">{dayAndClock(hold.put_at)}</td>
      <td>
        <Badge tone={state === "in_force" ? "good" : state === "proposed" ? "warning" : "quiet"}>{words.states[state]}</Badge>
        {state === "proposed" && hold.release_proposed_at !== null && <small>{words.proposedAt(dayAndClock(hold.release_proposed_at))}</small>}
        {hold.released_at !== null && <small>{dayAndClock(hold.released_at)}</small>}
      </td>
      <td>{state !== "released" && !(state === "proposed" && hold.release_proposed_by_me) && (
        <Step
          label={state === "proposed" ? words.confirm : words.propose} title={words.releaseTitle(hold.requisition)}
          path={`/api/holds/${hold.id}/release`} testid="release-hold" onDone={onDone}
          body={(form) => (state === "proposed" ? undefined : { motif: motifIn(form) })}
        >
          {camera && <p>{words.about(`${camera.number} ${camera.name} (${camera.commune.name})`, dayAndClock(hold.from), dayAndClock(hold.to))}</p>}
          <p className="notice notice-warning">{state === "proposed" ? words.confirmHelp : words.proposeHelp}</p>
          {state !== "proposed" && <MotifFields act="hold_release" />}
        </Step>
      )}</td>
    </tr>
  );
}

function PutDialog(props: { cameras: readonly Camera[]; onClose: () => void; onDone: (done: PutHold) => void }): ReactNode {
  const { api, now } = useDesk();
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const [busy, setBusy] = useState(false);
  const words = fr.recording.holds;
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [from, to] = [fromLocal(String(form.get("from"))), fromLocal(String(form.get("to")), true)];
    if (from === null || to === null) return;
    const body = { camera: form.get("camera"), requisition: form.get("requisition"), from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    setBusy(true);
    const answer = await api.send("POST", "/api/holds", body, putHold);
    setBusy(false);
    if (answer.kind !== "ok") return setProblem(answer);
    props.onDone(answer.value);
  };
  return (
    <Dialog title={words.put} onClose={props.onClose} testid="hold-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">{words.putHelp}</p>
        {problem && <Problem problem={problem} />}
        <label>{words.requisition}<input name="requisition" required maxLength={80} autoComplete="off" data-testid="hold-requisition" /></label>
        <CameraChoice cameras={props.cameras} />
        <label>{words.from}<DateField kind="instant" name="from" required defaultValue={toLocal(now() - HOUR_MS)} /></label>
        <label>{words.to}<DateField kind="instant" name="to" required defaultValue={toLocal(now())} /></label>
        <p className="quiet">{fr.recording.interruptions.localTime}</p>
        <div className="actions">
          <button type="button" onClick={props.onClose}>{fr.tables.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="hold-submit">{fr.tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
