import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { Answer, Refused } from "../api/client";
import { motif as motifBody, type Motif } from "../api/types";
import { array } from "../lib/decode";
import { dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Dialog, Problem } from "../shell/parts";
import { fr } from "../strings";
import type { Interval } from "./interval";
import type { GivenMotif } from "./replay-controller";

export function MotifDialog(props: {
  camera: string; interval: Interval; problem: Refused | null; given: GivenMotif | null; onGive: (motif: GivenMotif) => void; onCancel: () => void;
}): ReactNode {
  const { api } = useDesk();
  const [answer, setAnswer] = useState<Answer<Motif[]> | null>(null);
  const [code, setCode] = useState(props.given?.code ?? "");
  useEffect(() => {
    void api.get("/api/motifs", array(motifBody)).then(setAnswer);
  }, [api]);
  const motifs = answer?.kind === "ok" ? answer.value.filter((motif) => motif.acts.includes("replay")) : [];
  const chosen = motifs.find((motif) => motif.code === code);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const reference = new FormData(event.currentTarget).get("reference");
    props.onGive({ code, reference: typeof reference === "string" && reference.trim() !== "" ? reference.trim() : null });
  };
  return (
    <Dialog title={fr.motif.title} onClose={props.onCancel} testid="motif-dialog">
      <form onSubmit={submit}>
        <p>{fr.motif.text(props.camera, dayAndClock(props.interval.from), dayAndClock(props.interval.to))}</p>
        {answer && answer.kind !== "ok" && <Problem problem={answer} />}
        {props.problem && <Problem problem={props.problem} />}
        <label>
          {fr.motif.motif}
          <select required value={code} onChange={(event) => setCode(event.target.value)} data-testid="motif-select">
            <option value="" disabled>{answer === null ? fr.shell.loading : fr.motif.choose}</option>
            {motifs.map((motif) => <option key={motif.code} value={motif.code}>{motif.label}</option>)}
          </select>
        </label>
        {chosen?.reference_required && (
          <label>
            {fr.motif.reference}
            <input name="reference" required minLength={3} maxLength={40} defaultValue={props.given?.reference ?? ""} autoFocus={props.given !== null} data-testid="motif-reference" autoComplete="off" aria-describedby="reference-help" />
            <small id="reference-help">{fr.motif.referenceHelp}</small>
          </label>
        )}
        <small>{fr.motif.kept}</small>
        <div className="actions">
          <button type="button" onClick={props.onCancel}>{fr.motif.cancel}</button>
          <button type="submit" className="primary" data-testid="motif-submit">{fr.motif.submit}</button>
        </div>
      </form>
    </Dialog>
  );
}
