import { useState, type FormEvent, type ReactNode } from "react";
import { nothing, type Failed, type Method, type Refused } from "../api/client";
import { useDesk } from "../shell/context";
import { Dialog, Problem } from "../shell/parts";
import { fr } from "../strings";

/** A button whose dialog sends one act; a refusal stays in it with its reason. */
export function Step(props: {
  label: string; title: string; path: string | ((form: FormData) => string); testid: string; onDone: () => void;
  body: (form: FormData) => unknown; children: ReactNode; method?: Method; primary?: boolean; wide?: boolean;
}): ReactNode {
  const { api } = useDesk();
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const form = new FormData(event.currentTarget);
    const path = typeof props.path === "string" ? props.path : props.path(form);
    const answer = await api.send(props.method ?? "POST", path, props.body(form), nothing);
    setBusy(false);
    if (answer.kind !== "ok") return setProblem(answer);
    close();
    props.onDone();
  };
  const close = (): void => {
    setProblem(null);
    setAsking(false);
  };
  return (
    <>
      <button type="button" className={props.primary ? "primary" : ""} onClick={() => setAsking(true)} data-testid={props.testid}>{props.label}</button>
      {asking && (
        <Dialog title={props.title} onClose={close} testid={`${props.testid}-dialog`} wide={props.wide ?? false}>
          <form onSubmit={(event) => void submit(event)}>
            {problem && <Problem problem={problem} />}
            {props.children}
            <div className="actions">
              <button type="button" onClick={close}>{fr.tables.cancel}</button>
              <button type="submit" className="primary" disabled={busy} data-testid={`${props.testid}-submit`}>{fr.tables.confirm}</button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
