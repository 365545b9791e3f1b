/** The préfet's agrément of an agent who is not police: entered, renewed, suspended, given back (CSI L.132-14-1). */

import type { ReactNode } from "react";
import type { Person } from "../api/types";
import { localDay } from "../recording/local-input";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { validity } from "../tables/validity";
import { agrementOf } from "./agrement";

const { persons, tables } = fr;
/** Whose pictures need one. */
const NEED = new Set(["CIVIL_AGREE", "ASVP"]);

export function AgrementActions({ person, onDone }: { person: Person; onDone: () => void }): ReactNode {
  const { now } = useDesk();
  const { agrement } = person;
  if (agrement === null && !NEED.has(person.category)) return null;
  const path = `/api/persons/${person.id}/agrement`;
  const standing = agrement === null ? "over" : validity(agrement, now());
  return (
    <>
      <Step
        label={agrement === null ? persons.agrementNew : persons.agrementRenew} title={persons.agrementTitle(person.name)} path={path} method="PUT"
        testid="put-agrement" onDone={onDone} body={agrementOf}
      >
        <p className="quiet">{persons.agrementHelp}</p>
        <label>{persons.decision}<input name="reference" required minLength={3} maxLength={60} autoComplete="off" autoFocus /></label>
        <label>{persons.prefet}<input name="prefet" required minLength={3} maxLength={80} autoComplete="off" defaultValue={agrement?.prefet ?? ""} /></label>
        <label>{persons.departementsField}<input name="departements" required pattern="[0-9AB]{2,3}([ ,]+[0-9AB]{2,3})*" title={persons.departementsHint} autoComplete="off" defaultValue={agrement?.departements.join(", ") ?? ""} /></label>
        <div className="pair">
          <label>{tables.from}<DateField kind="day" name="from" required defaultValue={localDay(now())} /></label>
          <label>{persons.agrementTo}<DateField kind="day" name="to" /></label>
        </div>
        <label>{persons.inquiryOn}<DateField kind="day" name="inquiry" /></label>
      </Step>{" "}
      {standing !== "over" && (standing === "suspended"
        ? <ReasonButton label={persons.agrementResume} title={tables.resumeTitle(persons.agrementOf(person.name))} warning={null} path={`${path}/resume`} testid="resume-agrement" id={person.id} onDone={onDone} />
        : <ReasonButton label={persons.agrementSuspend} title={tables.suspendTitle(persons.agrementOf(person.name))} warning={tables.suspendHelp} path={`${path}/suspend`} testid="suspend-agrement" id={person.id} onDone={onDone} />)}
    </>
  );
}
