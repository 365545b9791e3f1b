import { useRef, useState, type FormEvent, type ReactNode } from "react";
import { fr } from "../strings";
import type { SessionController } from "./session-controller";
import { useShiftMotifs } from "./shift-motifs";

/** Read one field of a submitted form. */
const text = (form: FormData, name: string): string => {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
};

export function LoginScreen(props: { controller: SessionController; notice: string | null }): ReactNode {
  const { controller } = props;
  const motifs = useShiftMotifs(controller);
  const [busy, setBusy] = useState(false);
  const password = useRef<HTMLInputElement>(null);
  const [refusal, setRefusal] = useState<string | null>(null);

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setRefusal(null);
    const motif = text(form, "motif");
    const refused = await controller.login(text(form, "login"), text(form, "password"), motif === "" ? null : motif);
    setRefusal(refused);
    setBusy(false);
    if (refused !== null) password.current?.select();
  };

  return (
    <main className="centred">
      <form className="card" data-testid="login-form" onSubmit={(event) => void submit(event)}>
        <p className="overline">{fr.centre}</p>
        <h1>{fr.login.title}</h1>
        {props.notice && <p className="notice notice-warning" role="status">{props.notice}</p>}
        <label>
          {fr.login.login}
          <input name="login" autoComplete="username" autoFocus required data-testid="login-login" spellCheck={false} />
        </label>
        <label>
          {fr.login.password}
          <input ref={password} name="password" type="password" autoComplete="current-password" required data-testid="login-password" />
        </label>
        <label>
          {fr.login.motif}
          <select name="motif" data-testid="login-motif" aria-describedby="motif-help">
            <option value="">{fr.login.noMotif}</option>
            {motifs.told.map((motif) => (
              <option key={motif.code} value={motif.code}>{motif.label}</option>
            ))}
          </select>
          <small id="motif-help">{motifs.isAway ? fr.login.noMotifs : fr.login.motifHelp}</small>
        </label>
        {refusal && <p className="notice notice-error" role="alert" data-testid="login-error">{refusal}</p>}
        <button type="submit" className="primary" disabled={busy} data-testid="login-submit">
          {busy ? fr.login.busy : fr.login.submit}
        </button>
        <small>{fr.login.notice}</small>
      </form>
    </main>
  );
}
