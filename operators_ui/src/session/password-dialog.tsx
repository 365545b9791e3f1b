import { useState, type FormEvent, type ReactNode } from "react";
import { Dialog } from "../shell/parts";
import { fr } from "../strings";
import type { SessionController } from "./session-controller";

export function PasswordDialog(props: { controller: SessionController; onClose: () => void }): ReactNode {
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => String(form.get(name));
    if (text("next") !== text("again")) return setRefusal(fr.password.differs);
    setBusy(true);
    const refused = await props.controller.changePassword(text("now"), text("next"));
    setBusy(false);
    if (refused === null) props.onClose();
    else setRefusal(refused);
  };
  const field = (name: "now" | "next" | "again"): ReactNode => (
    <label>
      {fr.password[name]}
      <input
        name={name} type="password" required minLength={name === "now" ? 1 : 12} maxLength={200} autoFocus={name === "now"}
        autoComplete={name === "now" ? "current-password" : "new-password"} data-testid={`password-${name}`}
      />
    </label>
  );
  return (
    <Dialog title={fr.password.title} onClose={props.onClose} testid="password-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">{fr.password.help}</p>
        {refusal && <p className="notice notice-error" role="alert" data-testid="password-error">{refusal}</p>}
        {field("now")}
        {field("next")}
        {field("again")}
        <div className="actions">
          <button type="button" onClick={props.onClose}>{fr.tables.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="password-submit">{fr.tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
