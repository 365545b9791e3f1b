import { useState, type FormEvent, type ReactNode } from "react";
import { nothing, type Failed, type Refused } from "../api/client";
import type { Person } from "../api/types";
import { endOf } from "../recording/local-input";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Dialog, Problem } from "../shell/parts";
import { fr } from "../strings";

const RIGHTS = ["live", "replay", "extract"];

/** Entering the act by which an agent is designated for a commune. */
export function GrantDialog(props: {
  persons: readonly Person[]; communes: ReadonlyMap<string, string>; onClose: () => void; onDone: () => void;
}): ReactNode {
  const { api, session } = useDesk();
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = { ...Object.fromEntries(form), rights: form.getAll("rights"), to: endOf(form.get("to")) };
    const answer = await api.send("POST", "/api/habilitations", body, nothing);
    if (answer.kind !== "ok") return setProblem(answer);
    props.onDone();
    props.onClose();
  };
  const { tables } = fr;
  const agents = props.persons.filter((person) => person.closed_at === null && person.id !== session.account.id);
  return (
    <Dialog title={tables.grant} onClose={props.onClose} testid="grant-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">{tables.grantHelp}</p>
        {problem && <Problem problem={problem} />}
        <label>
          {tables.agent}
          <select name="account" required autoFocus defaultValue="">
            <option value="" disabled>{tables.choose}</option>
            {agents.map((person) => <option key={person.id} value={person.id}>{person.name} ({fr.role(person.role)})</option>)}
          </select>
        </label>
        <label>
          {tables.commune}
          <select name="commune" required defaultValue="">
            <option value="" disabled>{tables.choose}</option>
            {[...props.communes].map(([insee, name]) => <option key={insee} value={insee}>{name}</option>)}
          </select>
        </label>
        <fieldset>
          <legend>{tables.rights}</legend>
          {RIGHTS.map((right) => (
            <label key={right} className="check"><input type="checkbox" name="rights" value={right} defaultChecked={right === "live"} /> {fr.right(right)}</label>
          ))}
        </fieldset>
        <label>{tables.reference}<input name="reference" required minLength={3} maxLength={60} autoComplete="off" /></label>
        <label>{tables.signedBy}<input name="signed_by" required minLength={3} maxLength={80} autoComplete="off" /></label>
        <label>{tables.signedOn}<DateField kind="day" name="signed_on" required /></label>
        <label>{tables.from}<DateField kind="day" name="from" required /></label>
        <label>{tables.to}<DateField kind="day" name="to" required /></label>
        <div className="actions">
          <button type="button" onClick={props.onClose}>{tables.cancel}</button>
          <button type="submit" className="primary" data-testid="grant-submit">{tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}
