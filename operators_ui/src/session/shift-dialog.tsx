import { useState, type FormEvent, type ReactNode } from "react";
import { useDesk } from "../shell/context";
import { Dialog } from "../shell/parts";
import { fr } from "../strings";
import type { SessionController } from "./session-controller";
import { useShiftMotifs } from "./shift-motifs";

export function ShiftDialog(props: { controller: SessionController; onClose: () => void }): ReactNode {
  const { controller } = props;
  const motifs = useShiftMotifs(controller);
  const now = useDesk().session.shift_motif?.code;
  const [refusal, setRefusal] = useState<string | null>(null);
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
          <select key={motifs.told.length} name="motif" required defaultValue={now} data-testid="shift-motif">
            {motifs.told.map((motif) => <option key={motif.code} value={motif.code}>{motif.label}</option>)}
          </select>
        </label>
        {motifs.isAway && <p className="notice notice-warning" role="status">{fr.login.noMotifs}</p>}
        {refusal && <p className="notice notice-error" role="alert">{refusal}</p>}
        <div className="actions">
          <button type="button" onClick={props.onClose}>{fr.motif.cancel}</button>
          <button type="submit" className="primary">{fr.tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
