/** Small parts that several views share. */

import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { explain, nothing, type Failed, type Refused } from "../api/client";
import { fr } from "../strings";
import { useDesk } from "./context";

/** A modal dialog: the browser keeps the focus inside, Escape closes, the focus returns where it was. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode; testid: string; wide?: boolean }): ReactNode {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} className={props.wide ? "wide" : ""} aria-label={props.title} data-testid={props.testid} onClose={props.onClose}>
      <h2>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

export function Problem(props: { problem: Refused | Failed; onRetry?: () => void }): ReactNode {
  const { problem } = props;
  return (
    <div className="notice notice-error" role="alert" data-testid="problem">
      {problem.kind === "refused" ? (
        <>
          <span>{explain(problem)}</span> <code>{problem.code}</code>
        </>
      ) : (
        <span>{explain(problem)}</span>
      )}
      {props.onRetry && (
        <button type="button" onClick={props.onRetry}>
          {fr.failure.retry}
        </button>
      )}
    </div>
  );
}

/** The three ways that a polled view can stand; a value that could not be renewed stays, and says so. */
export function Loaded<T>(props: {
  value: T | null; problem: Refused | Failed | null; onRetry: () => void; children: (value: T) => ReactNode;
}): ReactNode {
  const { value, problem } = props;
  if (value === null) {
    return problem === null ? <p className="quiet" role="status">{fr.shell.loading}</p> : <Problem problem={problem} onRetry={props.onRetry} />;
  }
  return (
    <>
      {problem && (
        <p className="notice notice-warning" role="status">
          {fr.shell.stalePoll} {explain(problem)}
        </p>
      )}
      {props.children(value)}
    </>
  );
}

export function Badge(props: { tone: "good" | "warning" | "bad" | "quiet"; children: ReactNode }): ReactNode {
  return <span className={`badge badge-${props.tone}`}>{props.children}</span>;
}

/** A button for an act that the journal keeps with the reason given for it. */
export function ReasonButton(props: {
  label: string; title: string; warning: string | null; path: string; testid: string; id: string; onDone: () => void;
}): ReactNode {
  const { api } = useDesk();
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget).get("reason");
    const answer = await api.send("POST", props.path, { reason }, nothing);
    if (answer.kind !== "ok") return setProblem(answer);
    setAsking(false);
    setProblem(null);
    props.onDone();
  };
  return (
    <>
      <button type="button" onClick={() => setAsking(true)} data-testid={props.testid} data-id={props.id}>{props.label}</button>
      {asking && (
        <Dialog title={props.title} onClose={() => setAsking(false)} testid="reason-dialog">
          <form onSubmit={(event) => void submit(event)}>
            {props.warning && <p className="notice notice-warning">{props.warning}</p>}
            {problem && <Problem problem={problem} />}
            <label>
              {fr.tables.reason}
              <input name="reason" required minLength={3} maxLength={120} autoFocus autoComplete="off" data-testid="reason" />
            </label>
            <div className="actions">
              <button type="button" onClick={() => setAsking(false)}>{fr.tables.cancel}</button>
              <button type="submit" className="primary" data-testid="reason-submit">{fr.tables.confirm}</button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
