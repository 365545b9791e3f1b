/** A period and whose looks: asked for on submit, never before, since each reading is an entry of the journal. */

import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { journalScope, type Camera, type JournalScope } from "../api/types";
import { useOffered } from "../lib/asked";
import { byName } from "../lib/names";
import { showTyped } from "../lib/typed-dates";
import { useCameras } from "../recording/camera-choice";
import { fromLocal, toLocal } from "../recording/local-input";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { fr } from "../strings";
import { lastDays, type Period, type Subject } from "./query";

const NONE: JournalScope = { persons: [], communes: [], ops: [], motifs: [] };

/** Agents and communes that the journal may be searched for, and the cameras. */
export function useScope(): JournalScope & { cameras: readonly Camera[] } {
  const scope = useOffered("/api/journal/persons", journalScope) ?? NONE;
  return { ...scope, communes: byName(scope.communes), cameras: useCameras() };
}

export type Scope = ReturnType<typeof useScope>;

export function PeriodForm(props: {
  scope: Scope; period: Period; subject: Subject; hasSubject: boolean; onAsk: (period: Period, subject: Subject) => void;
}): ReactNode {
  const { now } = useDesk();
  const { scope, onAsk } = props;
  const [subject, setSubject] = useState(props.subject);
  const [isWrong, setWrong] = useState(false);
  useEffect(() => setSubject(props.subject), [props.subject]);
  const [from, to] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  useEffect(() => {
    setWrong(false);
    if (from.current !== null) from.current.value = showTyped("instant", toLocal(props.period.from));
    if (to.current !== null) to.current.value = showTyped("instant", toLocal(props.period.to));
  }, [props.period, from, to]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const period = { from: fromLocal(String(form.get("from"))) ?? 0, to: fromLocal(String(form.get("to")), true) ?? 0 };
    setWrong(period.from >= period.to);
    if (period.from < period.to) onAsk(period, subject);
  };
  const choose = (name: keyof Subject) => (value: string): void => setSubject({ ...subject, [name]: value });
  const { journal } = fr;
  return (
    <form className="filters" onSubmit={submit} role="search" aria-label={journal.periodTitle}>
      <label>{journal.from}<DateField kind="instant" field={from} name="from" required testid="period-from" isWrong={isWrong} /></label>
      <label>{journal.to}<DateField kind="instant" field={to} name="to" required testid="period-to" isWrong={isWrong} /></label>
      {props.hasSubject && (
        <>
          <Choice label={journal.agent} all={journal.allAgents} value={subject.person} onChange={choose("person")} testid="period-person" options={scope.persons.map(({ id, name }) => [id, name])} />
          <Choice label={journal.camera} all={journal.allCameras} value={subject.camera} onChange={choose("camera")} testid="period-camera" options={scope.cameras.map((one) => [one.id, `${one.number} ${one.name}`])} />
        </>
      )}
      {scope.communes.length > 1 && (
        <Choice label={fr.tables.commune} all={journal.allCommunes} value={subject.commune} onChange={choose("commune")} testid="period-commune" options={scope.communes.map(({ insee, name }) => [insee, name])} />
      )}
      <button type="submit" className="primary" data-testid="period-apply">{journal.show}</button>
      {[1, 7, 31].map((days) => (
        <button key={days} type="button" onClick={() => onAsk(lastDays(now(), days), subject)} data-testid={`period-${days}`}>{journal.last(days)}</button>
      ))}
      {isWrong && <p className="notice notice-error" role="alert">{journal.wrongPeriod}</p>}
    </form>
  );
}

/** A list with "all" at its head. */
export function Choice(props: {
  label: string; all: string; options: readonly (readonly [string, string])[]; testid: string;
  name?: string; value?: string; onChange?: (value: string) => void;
}): ReactNode {
  const { onChange } = props;
  const controlled = onChange === undefined ? {} : { value: props.value, onChange: (event: { target: { value: string } }) => onChange(event.target.value) };
  return (
    <label>
      {props.label}
      <select name={props.name} data-testid={props.testid} {...controlled}>
        <option value="">{props.all}</option>
        {props.options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </label>
  );
}
