/** Pictures that an arrêté opens to agents of the State: entered, suspended, resumed and ended, each with a motif. */

import { useCallback, useState, type ReactNode } from "react";
import { deports as deportsBody, personsPage, territory as territoryBody, type Deport, type Person, type TerritoryCommune } from "../api/types";
import { useOffered } from "../lib/asked";
import { usePolled } from "../lib/poll";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Loaded } from "../shell/parts";
import { endOf, localDay } from "../recording/local-input";
import { MotifFields, motifIn } from "../recording/motif-fields";
import { DECIDES } from "../recording/sections";
import { Step } from "../recording/step";
import { fr } from "../strings";
import { Period, Standing, Table } from "../tables/parts";
import { validity } from "../tables/validity";

const PERIOD_MS = 15_000;
const OF_THE_STATE = new Set(["PN", "GN", "DOUANE", "SDIS"]);
const RIGHTS = ["live", "replay"];
const { deports: words, tables } = fr;

export function Deports(): ReactNode {
  const { api, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/deports", deportsBody), [api]), PERIOD_MS);
  const decides = DECIDES.has(session.account.role);
  return (
    <>
      <header>
        <h1>{words.title}</h1>
        {decides && (
          <Step label={words.enter} title={words.enter} path="/api/deports" testid="enter-deport" onDone={poke} body={deportIn} primary wide>
            <Fields />
          </Step>
        )}
      </header>
      <p className="quiet">{words.help}</p>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(list) => (
          <Table
            label={words.title} caption={words.caption} empty={list.length === 0} testid="deports-table"
            heads={[words.arrete, words.persons, tables.cameras, tables.rights, words.keeps, tables.period, tables.state, ...(decides ? [tables.action] : [])]}
          >
            {list.map((one) => <Row key={one.id} one={one} decides={decides} onDone={poke} />)}
          </Table>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, decides, onDone }: { one: Deport; decides: boolean; onDone: () => void }): ReactNode {
  const { now } = useDesk();
  const state = validity(one, now());
  const what = `${one.commune.name}, ${one.reference}`;
  return (
    <tr data-id={one.id} data-state={state}>
      <th scope="row">{one.reference}<small>{one.commune.name}</small></th>
      <td>{one.persons.map((person) => <div key={person.account}>{person.name}<small>{fr.category(person.category)}</small></div>)}</td>
      <td>
        {one.cameras === null
          ? words.all
          : one.cameras.map((camera) => <div key={camera.id}><span className="number">{camera.number}</span> {camera.name}</div>)}
      </td>
      <td>{one.rights.map(fr.right).join(", ")}</td>
      <td>{tables.days(one.recipient_days)}</td>
      <td><Period fact={one} /></td>
      <td><Standing fact={one} /></td>
      {decides && <td>{state !== "over" && (
        <>
          <Change one={one} verb={state === "suspended" ? "resume" : "suspend"} what={what} onDone={onDone} />{" "}
          <Change one={one} verb="end" what={what} onDone={onDone} />
        </>
      )}</td>}
    </tr>
  );
}

function Change(props: { one: Deport; verb: "suspend" | "resume" | "end"; what: string; onDone: () => void }): ReactNode {
  const { verb } = props;
  return (
    <Step
      label={tables[verb]} title={`${tables[verb]} : ${props.what}`} path={`/api/deports/${props.one.id}/${verb}`}
      testid={`${verb}-deport`} onDone={props.onDone} body={(form) => ({ motif: motifIn(form) })}
    >
      <p className="notice notice-warning">{words.changeHelp[verb]}</p>
      <MotifFields act="deport" />
    </Step>
  );
}

function Fields(): ReactNode {
  const { now } = useDesk();
  const communes = useOffered("/api/territory", territoryBody) ?? [];
  const known = useOffered("/api/persons", personsPage);
  const [insee, setInsee] = useState("");
  const agents = known?.persons.filter(isOfTheState) ?? [];
  return (
    <>
      <p className="quiet">{words.enterHelp}</p>
      <label>{words.arrete}<input name="arrete" required minLength={3} maxLength={60} autoComplete="off" autoFocus /></label>
      <fieldset>
        <legend>{words.persons}</legend>
        {known !== null && agents.length === 0 && <p className="notice notice-warning">{words.noAgent}</p>}
        {agents.map((person) => (
          <label key={person.id} className="check"><input type="checkbox" name="persons" value={person.id} /> {person.name} ({fr.category(person.category)})</label>
        ))}
      </fieldset>
      <label>
        {tables.commune}
        <select name="commune" required value={insee} onChange={(event) => setInsee(event.target.value)}>
          <option value="" disabled>{tables.choose}</option>
          {communes.map((commune) => <option key={commune.insee} value={commune.insee}>{commune.name}</option>)}
        </select>
      </label>
      <Cameras commune={communes.find((commune) => commune.insee === insee)} />
      <fieldset>
        <legend>{tables.rights}</legend>
        {RIGHTS.map((right) => (
          <label key={right} className="check"><input type="checkbox" name="rights" value={right} defaultChecked={right === "live"} /> {fr.right(right)}</label>
        ))}
      </fieldset>
      <label>{words.keepsDays}<input name="recipient_days" type="number" required min={1} max={31} defaultValue={30} /></label>
      <div className="pair">
        <label>{tables.from}<DateField kind="day" name="from" required defaultValue={localDay(now())} /></label>
        <label>{tables.to}<DateField kind="day" name="to" required /></label>
      </div>
      <MotifFields act="deport" />
    </>
  );
}

function Cameras({ commune }: { commune: TerritoryCommune | undefined }): ReactNode {
  if (commune === undefined || commune.cameras.length === 0) return null;
  return (
    <fieldset>
      <legend>{tables.cameras} ({words.allHelp})</legend>
      {commune.cameras.map((camera) => (
        <label key={camera.id} className="check"><input type="checkbox" name="cameras" value={camera.id} /> {camera.number} {camera.name}</label>
      ))}
    </fieldset>
  );
}

const isOfTheState = (person: Person): boolean => person.closed_at === null && OF_THE_STATE.has(person.category);

/** No camera ticked: every one of the commune. */
function deportIn(form: FormData): Readonly<Record<string, unknown>> {
  const cameras = form.getAll("cameras");
  return {
    commune: form.get("commune"), reference: form.get("arrete"), persons: form.getAll("persons"),
    cameras: cameras.length === 0 ? null : cameras, rights: form.getAll("rights"), recipient_days: Number(form.get("recipient_days")),
    from: form.get("from"), to: endOf(form.get("to")), motif: motifIn(form),
  };
}
