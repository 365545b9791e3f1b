/** A draft's lines, one camera at a time: what was entered is there to be corrected, the other lines stay. */

import type { ReactNode } from "react";
import type { Authorisation, AuthorisationLine, TerritoryCommune } from "../api/types";
import { Step } from "../recording/step";
import { fr } from "../strings";
import { Terms } from "./step-forms";
import { lineOf, purposesOf } from "./steps";
import { DECIMAL, DEGREES, DEGREES_HINT, Together, written } from "./together";
import { lines as words } from "./words";

type TerritoryCamera = TerritoryCommune["cameras"][number];

export function LineActions({ one, line, onDone }: { one: Authorisation; line: AuthorisationLine; onDone: () => void }): ReactNode {
  const name = `${line.camera.number} ${line.camera.name}`;
  const path = `/api/authorisations/${one.id}/lines/${line.camera.id}`;
  return (
    <>
      <Step label={words.change} title={words.changeTitle(name)} path={path} method="PUT" testid="change-line" onDone={onDone} body={(form) => lineOf(line, form)} wide>
        <LineFields line={line} regime={line.regime} />
      </Step>{" "}
      {one.lines.length > 1 && (
        <Step label={words.remove} title={words.removeTitle(name)} path={path} method="DELETE" testid="remove-line" onDone={onDone} body={() => undefined}>
          <p className="quiet">{words.removeHelp}</p>
        </Step>
      )}
    </>
  );
}

/** A camera of the commune that the draft lacks, under the first line's terms. */
export function AddLine({ one, cameras, onDone }: { one: Authorisation; cameras: readonly TerritoryCamera[]; onDone: () => void }): ReactNode {
  const known = new Set(one.lines.map((line) => line.camera.id));
  const lacking = cameras.filter((camera) => !known.has(camera.id));
  const [like] = one.lines;
  if (lacking.length === 0) return null;
  return (
    <Step
      label={words.add} title={words.add} path={(form) => `/api/authorisations/${one.id}/lines/${form.get("camera")}`} method="PUT" testid="add-line" onDone={onDone}
      body={(form) => lineOf(undefined, form)} wide
    >
      <label>
        {fr.tables.camera}
        <select name="camera" required>{lacking.map((camera) => <option key={camera.id} value={camera.id}>{camera.number} {camera.name} ({fr.persons.regime(camera.regime)})</option>)}</select>
      </label>
      <Terms purposes={purposesOf(lacking.map((camera) => camera.regime))} before={like} />
      <Technical line={undefined} />
    </Step>
  );
}

function LineFields({ line, regime }: { line: AuthorisationLine; regime: string }): ReactNode {
  return (
    <>
      <Terms purposes={purposesOf([regime])} before={line} />
      <Technical line={line} />
    </>
  );
}

/** What the plans and the technical file say (arrêté du 3 août 2007, art. 2). */
function Technical({ line }: { line: AuthorisationLine | undefined }): ReactNode {
  const [latitude, longitude] = Array.isArray(line?.position) ? (line.position as readonly number[]) : [];
  return (
    <>
      <div className="pair">
        <label>
          {words.plan}
          <select name="plan" defaultValue={line?.plan ?? ""}>
            {["", "ETROIT", "LARGE"].map((plan) => <option key={plan} value={plan}>{words.plans[plan as keyof typeof words.plans]}</option>)}
          </select>
        </label>
        <label className="check"><input type="checkbox" name="fast_flow" defaultChecked={line?.fast_flow ?? false} /> {words.fastFlow}</label>
      </div>
      <div className="pair">
        <label>{words.width}<input name="width" type="number" min={1} max={20000} defaultValue={line?.width ?? ""} /></label>
        <label>{words.height}<input name="height" type="number" min={1} max={20000} defaultValue={line?.height ?? ""} /></label>
      </div>
      <div className="pair">
        <label>{words.perS}<input name="per_s" inputMode="decimal" pattern={DECIMAL} title={words.perSHint} autoComplete="off" defaultValue={written(line?.per_s)} /></label>
        <label>{words.exemption}<input name="exemption" minLength={3} maxLength={120} autoComplete="off" defaultValue={line?.exemption ?? ""} /></label>
      </div>
      <Together
        first={{ label: words.latitude, name: "latitude", pattern: DEGREES, hint: DEGREES_HINT, value: written(latitude) }}
        second={{ label: words.longitude, name: "longitude", pattern: DEGREES, hint: DEGREES_HINT, value: written(longitude) }}
      />
      <p className="quiet">{words.kept}</p>
    </>
  );
}
