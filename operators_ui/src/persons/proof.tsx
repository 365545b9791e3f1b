/** Was this person habilité for this camera at this date? Answered and signed by the centre. */

import { useState, type FormEvent, type ReactNode } from "react";
import type { Failed, Refused } from "../api/client";
import { habilitationAnswer, type Person } from "../api/types";
import { fields, type Decoded } from "../lib/decode";
import { saveJson } from "../lib/save";
import { day, dayAndClock, lastDay, MINUTE_MS } from "../lib/time";
import { useCameras } from "../recording/camera-choice";
import { fromLocal, toLocal } from "../recording/local-input";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Badge, Problem } from "../shell/parts";
import { dayNumber } from "../statements/months";
import { fr } from "../strings";
import { Table } from "../tables/parts";

interface Answered {
  readonly shown: Decoded<typeof habilitationAnswer>;
  /** The file as it was signed. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly who: string;
}

export function Proof({ persons: all }: { persons: readonly Person[] }): ReactNode {
  const { api, now } = useDesk();
  const cameras = useCameras();
  const [answered, setAnswered] = useState<Answered | null>(null);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const { persons } = fr;
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const of = (name: string): string => String(form.get(name));
    const typed = fromLocal(of("at")) ?? now();
    const at = typed - now() < MINUTE_MS ? Math.min(typed, now()) : typed;
    const query = new URLSearchParams({ camera: of("camera"), at: new Date(at).toISOString() });
    const given = await api.get(`/api/persons/${of("person")}/habilitation?${query}`, fields);
    setProblem(given.kind === "ok" ? null : given);
    const who = all.find((one) => one.id === of("person"))?.name ?? "";
    setAnswered(given.kind === "ok" ? { file: given.value, shown: habilitationAnswer(given.value, "answer"), who } : null);
  };
  return (
    <>
      <p className="quiet">{persons.proofHelp}</p>
      <form className="filters" onSubmit={(event) => void submit(event)}>
        <label>{persons.who}<select name="person" required data-testid="proof-person">{all.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>
        <label>{fr.tables.camera}<select name="camera" required data-testid="proof-camera">{cameras.map((one) => <option key={one.id} value={one.id}>{one.number} {one.name} ({one.commune.name})</option>)}</select></label>
        <label>{persons.at}<DateField kind="instant" name="at" required defaultValue={toLocal(now())} testid="proof-at" /></label>
        <button type="submit" className="primary" data-testid="proof-apply">{persons.take}</button>
      </form>
      {problem && <Problem problem={problem} />}
      {answered && <Shown {...answered} />}
    </>
  );
}

function Shown({ shown, file, who }: Answered): ReactNode {
  const { persons } = fr;
  const sentence = persons.answer(who, shown.habilite, `${shown.camera.number} ${shown.camera.name}`, dayAndClock(shown.at));
  return (
    <section className="commune" role="status" data-testid="proof-answer" data-habilite={shown.habilite}>
      <h2>{sentence}</h2>
      <Table label={sentence} heads={[fr.tables.rights, fr.journal.result]} empty={false} testid="proof-rights">
        {Object.entries(shown.rights).map(([right, one]) => (
          <tr key={right}>
            <th scope="row">{fr.right(right)}</th>
            <td>{one.allowed ? <Badge tone="good">{persons.allowed}</Badge> : <>{one.reason} <small><code>{one.code}</code></small></>}</td>
          </tr>
        ))}
      </Table>
      {shown.acts.map((act) => <p key={act.reference} data-testid="proof-act">{persons.act(fr.basis(act.basis), act.reference, act.signed_by, act.signed_on && dayNumber(act.signed_on))}{act.from_at !== null && `, ${fr.tables.span(day(act.from_at), act.to_at === null ? null : lastDay(act.to_at))}`}</p>)}
      {shown.deports.map((one) => <p key={`${one.reference} ${one.from_at}`} data-testid="proof-deport">{persons.deport(one.reference)} {fr.tables.span(day(one.from_at), lastDay(one.to_at))}</p>)}
      <p>
        <button type="button" onClick={() => saveJson(`habilitation-${shown.login}.json`, file)} data-testid="proof-file">{persons.file}</button>{" "}
        <span className="quiet">{persons.checkHelp} <code>csu person verify</code></span>
      </p>
    </section>
  );
}
