import { useCallback, useEffect, useState, type FormEvent, type ReactNode } from "react";
import { nothing, type Failed, type Refused } from "../api/client";
import { interruptions as interruptionsBody, type Interruption, type InterruptionReason } from "../api/types";
import { usePolled } from "../lib/poll";
import { clock, dayAndClock, HOUR_MS } from "../lib/time";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Badge, Dialog, Loaded, Problem } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { CameraChoice, useCameras } from "./camera-choice";
import { fromLocal, toLocal } from "./local-input";
import { MotifFields, motifIn } from "./motif-fields";
import { Step } from "./step";

const PERIOD_MS = 5_000;
type Cause = "planned" | "masked";
const MAY: Readonly<Record<Cause, ReadonlySet<string>>> = {
  planned: new Set(["supervisor", "administrator"]),
  masked: new Set(["supervisor"]),
};
const CAUSES: readonly Cause[] = ["planned", "masked"];
const TONES: Readonly<Record<string, "good" | "warning" | "bad" | "quiet">> = { proposed: "warning", coming: "warning", in_force: "bad" };

export function Interruptions(): ReactNode {
  const { api, hints, session } = useDesk();
  const { value, problem, poke } = usePolled(
    useCallback(() => api.get("/api/interruptions", interruptionsBody), [api]), PERIOD_MS,
  );
  useEffect(() => hints.on("cameras", poke), [hints, poke]);
  const [announcing, setAnnouncing] = useState<Cause | null>(null);
  const words = fr.recording.interruptions;
  const heads = [words.camera, words.cause, words.reason, words.from, words.to, words.state, words.by, words.decision];
  return (
    <>
      <header>
        <h1>{words.title}</h1>
        {CAUSES.filter((cause) => MAY[cause].has(session.account.role)).map((cause) => (
          <button key={cause} type="button" className="primary" disabled={value === null} onClick={() => setAnnouncing(cause)} data-testid={`announce-${cause}`}>
            {words.announce[cause]}
          </button>
        ))}
      </header>
      <p className="quiet">{words.help}</p>
      {announcing !== null && value !== null && (
        <Announce cause={announcing} reasons={value.reasons} onClose={() => setAnnouncing(null)} onDone={poke} />
      )}
      <Loaded value={value} problem={problem} onRetry={poke}>
        {({ interruptions }) => (
          <Table label={words.title} heads={heads} empty={interruptions.length === 0} testid="interruptions-table">
            {interruptions.map((one) => <Row key={one.id} one={one} onDone={poke} />)}
          </Table>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, onDone }: { one: Interruption; onDone: () => void }): ReactNode {
  const words = fr.recording.interruptions;
  const { pending } = one;
  return (
    <tr data-id={one.id} data-cause={one.cause} data-state={one.state}>
      <td><span className="number">{one.camera.number}</span> {one.camera.name} <small>{one.camera.commune.name}</small></td>
      <td>{fr.cause(one.cause)}</td>
      <td>{one.reason}</td>
      <td className="line">{dayAndClock(one.from)}</td>
      <td className="line">{dayAndClock(one.to)}</td>
      <td>
        <Badge tone={TONES[one.state] ?? "quiet"}>{words.states(one.state)}</Badge>
        {pending !== null && <small>{words.pending(pending.step, pending.proposed_by, clock(pending.expires_at))}</small>}
      </td>
      <td>{one.announced_by}<small>{dayAndClock(one.announced_at)}</small></td>
      <td><Decision one={one} onDone={onDone} /></td>
    </tr>
  );
}

function Decision({ one, onDone }: { one: Interruption; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const words = fr.recording.interruptions;
  const { pending } = one;
  const path = `/api/interruptions/${one.id}`;
  if (!MAY[one.cause].has(session.account.role)) return null;
  const what = `${one.camera.number} ${one.camera.name}`;
  const isUnmasking = one.cause === "masked" && one.state !== "proposed";
  return (
    <>
      {pending !== null && !pending.mine && (
        <Step label={words.confirm} title={words.confirmTitle(pending.step, what)} path={`${path}/confirm`} testid="confirm-interruption" onDone={onDone} body={() => undefined}>
          <p>{words.about(one.reason, dayAndClock(one.from), dayAndClock(one.to), pending.proposed_by)}</p>
          <p className="notice notice-warning">{words.confirmHelp[pending.step]}</p>
        </Step>
      )}{" "}
      {(one.state === "proposed" || ((one.state === "coming" || one.state === "in_force") && pending === null)) && (
        <Step
          label={one.state === "proposed" ? words.withdraw : one.cause === "masked" ? words.proposeEnd : words.end}
          title={words.endTitle(what)} path={`${path}/end`} testid="end-interruption" onDone={onDone}
          body={(form) => (isUnmasking ? { motif: motifIn(form) } : undefined)}
        >
          <p className="notice notice-warning">{one.state === "proposed" ? words.withdrawHelp : words.endHelp[one.cause]}</p>
          {isUnmasking && <MotifFields act="unmask" />}
        </Step>
      )}
    </>
  );
}

function Announce(props: {
  cause: Cause; reasons: readonly InterruptionReason[]; onClose: () => void; onDone: () => void;
}): ReactNode {
  const { api, now } = useDesk();
  const cameras = useCameras();
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const [busy, setBusy] = useState(false);
  const words = fr.recording.interruptions;
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [from, to] = [fromLocal(String(form.get("from"))), fromLocal(String(form.get("to")), true)];
    if (from === null || to === null) return;
    const why = props.cause === "masked" ? { motif: motifIn(form) } : { reason: form.get("reason") };
    const body = { camera: form.get("camera"), ...why, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    setBusy(true);
    const answer = await api.send("POST", `/api/interruptions/${props.cause}`, body, nothing);
    setBusy(false);
    if (answer.kind !== "ok") return setProblem(answer);
    props.onDone();
    props.onClose();
  };
  return (
    <Dialog title={words.announce[props.cause]} onClose={props.onClose} testid="announce-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">{words.announceHelp[props.cause]}</p>
        {problem && <Problem problem={problem} />}
        <CameraChoice cameras={cameras} />
        {props.cause === "masked" ? <MotifFields act="mask" /> : (
          <label>
            {words.reason}
            <select name="reason" required>
              {props.reasons.filter((reason) => reason.cause === props.cause).map((reason) => <option key={reason.code} value={reason.code}>{reason.label}</option>)}
            </select>
          </label>
        )}
        <label>{words.from}<DateField kind="instant" name="from" required defaultValue={toLocal(now())} /></label>
        <label>{words.to}<DateField kind="instant" name="to" required defaultValue={toLocal(now() + HOUR_MS)} /></label>
        <p className="quiet">{words.localTime}</p>
        <div className="actions">
          <button type="button" onClick={props.onClose}>{fr.tables.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="announce-submit">{fr.tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
