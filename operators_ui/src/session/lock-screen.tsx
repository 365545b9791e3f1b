import { useRef, useState, type FormEvent, type ReactNode } from "react";
import type { Session } from "../api/types";
import { fr } from "../strings";
import type { SessionController } from "./session-controller";

export function LockScreen(props: { controller: SessionController; session: Session; confirmed: boolean }): ReactNode {
  const { controller, session } = props;
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const [refusal, setRefusal] = useState<string | null>(null);

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    const password = new FormData(form).get("password");
    setBusy(true);
    setRefusal(await controller.unlock(typeof password === "string" ? password : ""));
    setBusy(false);
    form.reset();
    field.current?.focus();
  };

  return (
    <main className="centred">
      <form className="card" data-testid="lock-screen" onSubmit={(event) => void submit(event)}>
        <p className="overline">{session.centre}</p>
        <h1>{fr.lock.title}</h1>
        <p>{fr.lock.text(session.account.name)}</p>
        {!props.confirmed && <p className="notice notice-warning" role="status">{fr.lock.unconfirmed}</p>}
        <label>
          {fr.login.password}
          <input ref={field} name="password" type="password" autoComplete="current-password" autoFocus required data-testid="unlock-password" />
        </label>
        {refusal && <p className="notice notice-error" role="alert" data-testid="unlock-error">{refusal}</p>}
        <button type="submit" className="primary" disabled={busy} data-testid="unlock-submit">{fr.lock.unlock}</button>
        <button type="button" onClick={() => void controller.logout()} data-testid="change-agent">{fr.lock.change}</button>
      </form>
    </main>
  );
}
