/** Forms for the steps that are possible from an authorisation's state. The centre decides; its refusal stays in the form. */

import { useState, type ReactNode } from "react";
import type { Authorisation, AuthorisationLine, TerritoryCommune } from "../api/types";
import { localDay } from "../recording/local-input";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { fr } from "../strings";
import { bodyOf, CLOSING, draftOf, fieldsOf, purposesOf, type Field } from "./steps";

const { dossiers, tables } = fr;

/** One button a step; nothing when the dossier has come to its end. */
export function Steps({ one, onDone }: { one: Authorisation; onDone: () => void }): ReactNode {
  const name = one.reference ?? one.dossier;
  if (one.steps.length === 0) return <p className="quiet" data-testid="no-step">{dossiers.noStep}</p>;
  return (
    <div className="steps" role="group" aria-label={dossiers.steps} data-testid="steps">
      {one.steps.map((step) => (
        <Step
          key={`${one.id} ${step}`} label={dossiers.stepName(step)} title={`${dossiers.stepName(step)} : ${name}`} path={`/api/authorisations/${one.id}/${step}`}
          testid={`step-${step}`} onDone={onDone} body={(form) => bodyOf(step, form, one.lines)} wide={step === "modification"}
        >
          <p className={CLOSING.has(step) ? "notice notice-warning" : "quiet"}>{dossiers.stepHelp(step)}</p>
          {step === "activate" && one.blocked !== null && <p className="notice notice-warning">{one.blocked.reason}</p>}
          {fieldsOf(step).map((field) => <FieldOf key={field} field={field} one={one} />)}
        </Step>
      ))}
    </div>
  );
}

function FieldOf({ field, one }: { field: Field; one: Authorisation }): ReactNode {
  const { now } = useDesk();
  const today = localDay(now());
  switch (field) {
    case "on": return <label>{dossiers.on}<DateField kind="day" name="on" required defaultValue={today} /></label>;
    case "reference": return <label>{dossiers.arrete}<input name="reference" required minLength={3} maxLength={60} autoComplete="off" /></label>;
    case "period": return (
      <div className="pair">
        <label>{tables.from}<DateField kind="day" name="from" required defaultValue={today} /></label>
        <label>{tables.to}<DateField kind="day" name="to" required /></label>
      </div>
    );
    case "service": return (
      <>
        <label>{dossiers.serviceOn}<DateField kind="day" name="service_on" required defaultValue={today} /></label>
        <Lines label={dossiers.notified} lines={one.lines.filter((line) => line.in_service_at === null)} areChosen />
      </>
    );
    case "reason": return <label>{tables.reason}<input name="reason" required minLength={3} maxLength={120} autoComplete="off" data-testid="reason" /></label>;
    case "amendment": return <Amendment one={one} />;
    case "lifted": return one.blocked?.code !== "AUTH_SUSPENDED" ? null : <label>{dossiers.liftedBy}<input name="lifted_by" minLength={3} maxLength={60} autoComplete="off" /></label>;
  }
}

function Amendment({ one }: { one: Authorisation }): ReactNode {
  const [kind, setKind] = useState("MODIFICATION");
  const [changes, setChanges] = useState(false);
  return (
    <>
      <div className="pair">
        <label>{dossiers.newDossier}<input name="dossier" required minLength={3} maxLength={60} autoComplete="off" /></label>
        <label>
          {dossiers.kind}
          <select name="kind" value={kind} onChange={(event) => setKind(event.target.value)}>
            {["MODIFICATION", "RENOUVELLEMENT"].map((each) => <option key={each} value={each}>{dossiers.kinds(each)}</option>)}
          </select>
        </label>
      </div>
      <Lines label={dossiers.changed} lines={one.lines} areChosen={false} onChoice={setChanges} />
      {changes && <Terms purposes={purposesOf(one.lines.map((line) => line.regime))} before={one.lines[0]} />}
    </>
  );
}

/** `onChoice` hears whether any camera is chosen. */
function Lines(props: { label: string; lines: readonly AuthorisationLine[]; areChosen: boolean; onChoice?: (some: boolean) => void }): ReactNode {
  return (
    <fieldset className="many" onChange={(event) => props.onChoice?.(event.currentTarget.querySelector(":checked") !== null)}>
      <legend>{props.label}</legend>
      {props.lines.map(({ camera }) => <Camera key={camera.id} {...camera} isChosen={props.areChosen} />)}
    </fieldset>
  );
}

function Camera(props: { id: string; number: string; name: string; isChosen: boolean }): ReactNode {
  return (
    <label className="check">
      <input type="checkbox" name="cameras" value={props.id} defaultChecked={props.isChosen} /> <span><span className="number">{props.number}</span> {props.name}</span>
    </label>
  );
}

/** What an arrêté decides of a camera; as it is decided in `before`, where there is one. */
export function Terms({ purposes, before }: { purposes: readonly string[]; before: AuthorisationLine | undefined }): ReactNode {
  return (
    <>
      <fieldset className="many">
        <legend>{dossiers.purposes}</legend>
        {purposes.map((code) => (
          <label key={code} className="check">
            <input type="checkbox" name="finalites" value={code} defaultChecked={before?.finalites.includes(code) ?? purposes.length === 1} /> {dossiers.purpose(code)}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>{dossiers.use}</legend>
        <label className="check"><input type="checkbox" name="visualised" defaultChecked={before?.visualised ?? true} /> {dossiers.visualised}</label>
        <label className="check"><input type="checkbox" name="recorded" defaultChecked={before?.recorded ?? true} /> {dossiers.recorded}</label>
      </fieldset>
      <div className="pair">
        <label>{dossiers.retention}<input name="retention_days" type="number" min={1} required defaultValue={before?.retention_days ?? ""} /></label>
        <label>{dossiers.minimum}<input name="minimum_days" type="number" min={1} defaultValue={before?.minimum_days ?? ""} /></label>
      </div>
      <label>{dossiers.recipients}<textarea name="recipients" rows={2} defaultValue={before?.recipients.join("\n") ?? ""} /></label>
    </>
  );
}

/** The draft of a dossier: nothing follows from it until its arrêté is entered and its cameras are in service. */
export function NewDossier({ communes, onDone }: { communes: readonly TerritoryCommune[]; onDone: () => void }): ReactNode {
  return (
    <Step label={dossiers.create} title={dossiers.create} path="/api/authorisations" testid="new-dossier" onDone={onDone} body={draftOf} primary wide>
      <Draft communes={communes} />
    </Step>
  );
}

function Draft({ communes }: { communes: readonly TerritoryCommune[] }): ReactNode {
  const [insee, setInsee] = useState(communes[0]?.insee ?? "");
  const [kind, setKind] = useState("INITIALE");
  const outside = kind === "REGISTRE";
  const cameras = (communes.find((one) => one.insee === insee)?.cameras ?? []).filter((camera) => (camera.regime === "HORS_CSI") === outside);
  return (
    <>
      <p className="quiet">{dossiers.createHelp}</p>
      <div className="pair">
        <label>
          {tables.commune}
          <select name="commune" required value={insee} onChange={(event) => setInsee(event.target.value)}>
            {communes.map((one) => <option key={one.insee} value={one.insee}>{one.name}</option>)}
          </select>
        </label>
        <label>
          {dossiers.kind}
          <select name="kind" value={kind} onChange={(event) => setKind(event.target.value)}>
            {["INITIALE", "PROVISOIRE", "REGISTRE"].map((each) => <option key={each} value={each}>{dossiers.kinds(each)}</option>)}
          </select>
        </label>
      </div>
      <label>{dossiers.newDossier}<input name="dossier" required minLength={3} maxLength={60} autoComplete="off" /></label>
      <fieldset className="many" key={`${insee} ${kind}`}>
        <legend>{tables.cameras}</legend>
        {cameras.length === 0 && <span>{dossiers.noCamera}</span>}
        {cameras.map((camera) => <Camera key={camera.id} {...camera} isChosen={false} />)}
      </fieldset>
      <Terms key={`terms ${insee} ${kind}`} purposes={purposesOf(cameras.map((camera) => camera.regime))} before={undefined} />
    </>
  );
}
