import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { motif as motifBody, type Motif } from "../api/types";
import { array } from "../lib/decode";
import { Dialog } from "../shell/parts";
import { fr } from "../strings";
import type { SessionController } from "./session-controller";

export function ShiftDialog(props: { controller: SessionController; onClose: () => void }): ReactNode {
  const { controller } = props;
  const [motifs, setMotifs] = useState<readonly Motif[]>([]);
  const [refusal, setRefusal] = useState<string | null>(null);
  useEffect(() => {
    void controller.api.get("/api/motifs?public", array(motifBody)).then((answer) => {
      if (answer.kind === "ok") setMotifs(answer.value);
    });
  }, [controller]);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const motif = new FormData(event.currentTarget).get("motif");
    const refused = await controller.changeShift(typeof motif === "string" ? motif : "");
    if (refused === null) props.onClose();
    else setRefusal(refused);
  };
  return (
    <Dialog title={fr.shell.changeShift} onClose={props.onClose} testid="shift-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <label>
          {fr.login.motif}
          <select name="motif" required data-testid="shift-motif">
            {motifs.map((motif) => <option key={motif.code} value={motif.code}>{motif.label}</option>)}
          </select>
        </label>
        {refusal && <p className="notice notice-error" role="alert">{refusal}</p>}
        <div className="actions">
          <button type="button" onClick={props.onClose}>{fr.motif.cancel}</button>
          <button type="submit" className="primary">{fr.tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
