/** Small parts that several views share. */

import { useEffect, useRef, type ReactNode } from "react";
import { explain, type Failed, type Refused } from "../api/client";
import { fr } from "../strings";

/** A modal dialog: the browser keeps the focus inside, Escape closes, the focus returns where it was. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode; testid: string }): ReactNode {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} aria-label={props.title} data-testid={props.testid} onClose={props.onClose}>
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
          <span>{problem.reason}</span> <code>{problem.code}</code>
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
