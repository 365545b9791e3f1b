/** A commune's way into the centre: what it answers for, its conventions, sites and cameras. The centre decides. */

import { useEffect, useState, type ReactNode } from "react";
import { listedCommunes, type ListedCommune, type TerritoryCommune } from "../api/types";
import { localDay } from "../recording/local-input";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { fr } from "../strings";
import { cameraOf, communeOf, conventionOf, onboardingOf, siteOf, sourceOf } from "./joining";
import { DEGREES, DEGREES_HINT, Together, written } from "./together";
import { joining } from "./words";

const { persons, tables } = fr;
const REGIMES = ["VOIE_PUBLIQUE", "ABORDS_TERRO", "ERP", "COMMERCE", "HORS_CSI"];
/** What the centre accepts; the sentence beside a field says it in words. */
const ADDRESS = "rtsps?://[^@]+";

interface Props {
  readonly commune: TerritoryCommune;
  readonly onDone: () => void;
}

export function JoinCommune({ onDone }: { onDone: () => void }): ReactNode {
  return (
    <Step label={joining.join} title={joining.join} path="/api/communes" testid="join-commune" onDone={onDone} body={communeOf} primary wide>
      <p className="quiet">{joining.joinHelp}</p>
      <Found />
      <Answered commune={null} />
    </Step>
  );
}

/** A commune of the official list, looked for as it is typed. */
function Found(): ReactNode {
  const { api } = useDesk();
  const [typed, setTyped] = useState("");
  const [found, setFound] = useState<readonly ListedCommune[]>([]);
  useEffect(() => {
    if (typed.length < 2) return setFound([]);
    let wanted = true;
    void api.get(`/api/reference/communes?${new URLSearchParams({ query: typed })}`, listedCommunes).then((answer) => {
      if (wanted && answer.kind === "ok") setFound(answer.value);
    });
    return () => void (wanted = false);
  }, [api, typed]);
  return (
    <label>
      {joining.find}
      <input name="insee" list="listed-communes" required pattern="[0-9AB]{5}" title={joining.findHint} autoComplete="off" autoFocus value={typed} onChange={(event) => setTyped(event.target.value)} />
      <datalist id="listed-communes" data-testid="listed-communes">
        {found.map((one) => <option key={one.insee} value={one.insee}>{one.name} ({one.departement}){one.epci_name !== null && `, ${one.epci_name}`}</option>)}
      </datalist>
    </label>
  );
}

export function ChangeCommune({ commune, onDone }: Props): ReactNode {
  return (
    <Step label={joining.change} title={joining.changeTitle(commune.name)} path={`/api/communes/${commune.insee}`} method="PUT" testid="change-commune" onDone={onDone} body={onboardingOf} wide>
      <p className="quiet">{joining.changeHelp}</p>
      <Answered commune={commune} />
    </Step>
  );
}

function Answered({ commune }: { commune: TerritoryCommune | null }): ReactNode {
  return (
    <>
      <label>{joining.authority}<input name="authority" required minLength={2} maxLength={200} autoComplete="off" defaultValue={commune?.authority ?? ""} /></label>
      <div className="pair">
        <label>{joining.controller}<input name="controller" minLength={2} maxLength={200} autoComplete="off" defaultValue={commune?.controller ?? ""} /></label>
        <label>{joining.dpo}<input name="dpo" minLength={2} maxLength={200} autoComplete="off" defaultValue={commune?.dpo ?? ""} /></label>
      </div>
      <Together first={{ label: joining.deliberation, name: "deliberation", value: commune?.deliberation }} second={{ label: joining.deliberationOn, name: "deliberation_on", isDay: true, value: commune?.deliberation_on }} />
      <Together first={{ label: joining.cnil, name: "cnil_receipt", value: commune?.cnil_receipt }} second={{ label: joining.cnilOn, name: "cnil_sent_on", isDay: true, value: commune?.cnil_sent_on }} />
    </>
  );
}

export function EnterConvention({ commune, onDone }: Props): ReactNode {
  const { now } = useDesk();
  return (
    <Step label={joining.convention} title={`${joining.convention} : ${commune.name}`} path="/api/conventions" testid="enter-convention" onDone={onDone} body={conventionOf(commune.insee)}>
      <p className="quiet">{joining.conventionHelp}</p>
      <label>
        {joining.conventionKind}
        <select name="kind" required autoFocus>{["IV", "V", "COORDINATION"].map((kind) => <option key={kind} value={kind}>{tables.conventionKinds(kind)}</option>)}</select>
      </label>
      <label>{joining.conventionReference}<input name="reference" required minLength={3} maxLength={60} autoComplete="off" /></label>
      <label>{joining.partner}<input name="partner" required minLength={2} maxLength={200} autoComplete="off" /></label>
      <div className="pair">
        <label>{tables.from}<DateField kind="day" name="from" required defaultValue={localDay(now())} /></label>
        <label>{joining.conventionTo}<DateField kind="day" name="to" /></label>
      </div>
    </Step>
  );
}

/** `site` null: a new one. A site is known by its name, which stays. */
export function EnterSite({ commune, site, onDone }: Props & { site: TerritoryCommune["sites"][number] | null }): ReactNode {
  return (
    <Step
      label={site === null ? joining.site : joining.change} title={site === null ? `${joining.site} : ${commune.name}` : joining.changeSite(site.name)}
      path={`/api/communes/${commune.insee}/sites`} method="PUT" testid={site === null ? "enter-site" : "change-site"} onDone={onDone} body={siteOf}
    >
      <p className="quiet">{joining.siteHelp}</p>
      <label>{joining.siteName}<input name="name" required minLength={2} maxLength={200} autoComplete="off" readOnly={site !== null} defaultValue={site?.name ?? ""} /></label>
      <label>{joining.address}<input name="address" minLength={2} maxLength={200} autoComplete="off" defaultValue={site?.address ?? ""} /></label>
      <Together
        first={{ label: joining.latitude, name: "latitude", pattern: DEGREES, hint: DEGREES_HINT, value: written(site?.latitude) }}
        second={{ label: joining.longitude, name: "longitude", pattern: DEGREES, hint: DEGREES_HINT, value: written(site?.longitude) }}
      />
    </Step>
  );
}

export function EnterCamera({ commune, onDone }: Props): ReactNode {
  return (
    <Step label={joining.camera} title={`${joining.camera} : ${commune.name}`} path="/api/cameras" testid="enter-camera" onDone={onDone} body={cameraOf(commune.insee)} wide>
      <p className="quiet">{joining.cameraHelp}</p>
      <div className="pair">
        <label>{joining.number}<input name="number" required pattern="[0-9A-Za-z\-]{1,20}" title={joining.number} autoComplete="off" autoFocus /></label>
        <label>{joining.cameraName}<input name="name" required minLength={2} maxLength={200} autoComplete="off" /></label>
      </div>
      <div className="pair">
        <label>{tables.site}<select name="site" required>{commune.sites.map(({ name }) => <option key={name} value={name}>{name}</option>)}</select></label>
        <label>{joining.regime}<select name="regime" required>{REGIMES.map((one) => <option key={one} value={one}>{persons.regime(one)}</option>)}</select></label>
      </div>
      <SourceFields />
      <label>{joining.priority}<input name="priority" type="number" min={0} max={1000} defaultValue={0} required /></label>
    </Step>
  );
}

export function ConnectCamera({ camera, onDone }: { camera: TerritoryCommune["cameras"][number]; onDone: () => void }): ReactNode {
  return (
    <Step label={joining.source} title={joining.sourceTitle(`${camera.number} ${camera.name}`)} path={`/api/cameras/${camera.id}/source`} method="PUT" testid="connect-camera" onDone={onDone} body={sourceOf} wide>
      <p className="quiet">{joining.sourceHelp}</p>
      <SourceFields />
    </Step>
  );
}

function SourceFields(): ReactNode {
  return (
    <>
      <label>{joining.main}<input name="main" required pattern={ADDRESS} title={joining.main} maxLength={500} autoComplete="off" /></label>
      <label>{joining.sub}<input name="sub" pattern={ADDRESS} title={joining.main} maxLength={500} autoComplete="off" /></label>
      <Together first={{ label: joining.username, name: "username", pattern: "[^:]+", hint: joining.usernameHint }} second={{ label: joining.password, name: "password", type: "password", autoComplete: "new-password" }} />
      <label>{joining.certificate}<input name="certificate" pattern="([0-9A-Fa-f]{2}:?){32}" title={joining.certificate} autoComplete="off" /></label>
      <label>
        {joining.adapter}
        <select name="adapter">{Object.entries(joining.adapters).map(([name, label]) => <option key={name} value={name}>{label}</option>)}</select>
      </label>
    </>
  );
}
