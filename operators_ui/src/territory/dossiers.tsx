/** Prefectoral authorisations: their state, what is due next, and what has happened. */

import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { authorisations as authorisationsBody, territory as territoryBody, type Authorisation, type TerritoryCommune } from "../api/types";
import { useOffered } from "../lib/asked";
import { usePolled } from "../lib/poll";
import { day, dayAndClock, lastDay } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded } from "../shell/parts";
import { dayNumber } from "../statements/months";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { byUrgency, daysUntil, dueDay, isOver, NEAR_DAYS, next, tone } from "./deadlines";
import { AddLine, LineActions } from "./line-forms";
import { NewDossier, Steps } from "./step-forms";
import { inOrder } from "./steps";

const PERIOD_MS = 30_000;
const MAY_DECIDE = new Set(["supervisor", "administrator"]);
const { dossiers } = fr;

export function Dossiers(): ReactNode {
  const { api, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/authorisations", authorisationsBody), [api]), PERIOD_MS);
  const territory = useOffered("/api/territory", territoryBody);
  const [chosen, setChosen] = useState<string | null>(null);
  const decides = MAY_DECIDE.has(session.account.role);
  const camerasOf = (insee: string): TerritoryCommune["cameras"] => territory?.find((known) => known.insee === insee)?.cameras ?? [];
  return (
    <>
      <header>
        <h1>{dossiers.title}</h1>
        {decides && territory !== null && <NewDossier communes={territory} onDone={poke} />}
      </header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(list) => (
          <>
            <Table
              label={dossiers.title} caption={dossiers.caption} empty={list.length === 0} testid="dossiers-table"
              heads={[dossiers.dossier, fr.tables.commune, dossiers.kind, fr.tables.state, fr.tables.period, dossiers.next, fr.tables.cameras, dossiers.blocked]}
            >
              {byUrgency(list).map((one) => <Row key={one.id} one={one} isChosen={one.id === chosen} onChoose={() => setChosen(one.id)} />)}
            </Table>
            {list.filter((one) => one.id === chosen).map((one) => <Detail key={one.id} one={one} onStep={decides ? poke : null} cameras={camerasOf(one.commune.insee)} />)}
          </>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, isChosen, onChoose }: { one: Authorisation; isChosen: boolean; onChoose: () => void }): ReactNode {
  return (
    <tr data-testid="dossier" data-state={one.state} aria-current={isChosen ? "true" : undefined}>
      <th scope="row"><button type="button" onClick={onChoose} data-testid="dossier-open">{one.reference ?? one.dossier}</button>{one.reference !== null && one.reference !== one.dossier && <small>{one.dossier}</small>}</th>
      <td>{one.commune.name}</td>
      <td>{dossiers.kinds(one.kind)}</td>
      <td><Badge tone={tone(one)}>{dossiers.states(one.state)}</Badge>{one.suspended_reason && <small>{one.suspended_reason}</small>}</td>
      <td className="line">{one.from === null ? "—" : <>{day(one.from)} – {one.to === null ? fr.tables.noEnd : fr.tables.until(lastDay(one.to))}</>}</td>
      <td><Due one={one} /></td>
      <td>{one.lines.length}</td>
      <td>{one.blocked === null ? "—" : <>{one.blocked.reason} <small><code>{one.blocked.code}</code></small></>}</td>
    </tr>
  );
}

function Due({ one }: { one: Authorisation }): ReactNode {
  const { now } = useDesk();
  const due = next(one);
  if (due === null || isOver(one)) return "—";
  const left = daysUntil(due.at, now());
  return (
    <>
      {dossiers.deadline(due.code)}<small>{dueDay(due)} {left < NEAR_DAYS && <Badge tone={left < 30 ? "bad" : "warning"}>{fr.tables.remaining(left)}</Badge>}</small>
    </>
  );
}

/** The heading takes the focus, so that the keyboard and a screen reader follow. `onStep` null: only looked at. */
function Detail({ one, onStep, cameras }: { one: Authorisation; onStep: (() => void) | null; cameras: TerritoryCommune["cameras"] }): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const onDraft = one.state === "BROUILLON" ? onStep : null;
  return (
    <section className="commune" data-testid="dossier-detail">
      <h2 ref={heading} tabIndex={-1}>{one.reference ?? one.dossier} <span className="quiet">{one.commune.name} · {dossiers.states(one.state)}</span></h2>
      {one.alarms.map((alarm) => <p key={alarm.code} className="notice notice-warning" data-testid="dossier-alarm" data-code={alarm.code}>{alarm.message}</p>)}
      {onStep !== null && <Steps one={one} onDone={onStep} />}
      <Table label={dossiers.events} caption={dossiers.events} heads={[dossiers.event, dossiers.on, dossiers.enteredAt, dossiers.reference, dossiers.author]} empty={one.events.length === 0} testid="dossier-events">
        {one.events.map((event, at) => (
          <tr key={at}>
            <th scope="row">{dossiers.eventName(event.event)}</th>
            <td>{dayNumber(event.on)}</td>
            <td className="line">{dayAndClock(event.at)}</td>
            <td>{event.reference ?? "—"}</td>
            <td>{event.author ?? dossiers.by(event.event)}</td>
          </tr>
        ))}
      </Table>
      {one.deadlines.length > 0 && (
        <Table label={dossiers.deadlines} caption={dossiers.deadlines} heads={[fr.tables.deadline, fr.journal.at]} empty={false} testid="dossier-deadlines">
          {one.deadlines.map((due, at) => <tr key={at}><th scope="row">{dossiers.deadline(due.code)}</th><td>{dueDay(due)}</td></tr>)}
        </Table>
      )}
      <Table label={dossiers.lines} caption={dossiers.lines} heads={[fr.tables.camera, dossiers.purposes, dossiers.use, fr.tables.retention, dossiers.inService, ...(onDraft === null ? [] : [fr.tables.action])]} empty={one.lines.length === 0} testid="dossier-lines">
        {one.lines.map((line) => (
          <tr key={line.camera.id}>
            <th scope="row"><span className="number">{line.camera.number}</span> {line.camera.name}</th>
            <td>{inOrder(line.finalites).map(dossiers.purposeShort).join(", ")}</td>
            <td>{[line.visualised && dossiers.visualised, line.recorded && dossiers.recorded].filter(Boolean).join(", ")}</td>
            <td>{line.recorded ? fr.tables.days(line.retention_days) : "—"}</td>
            <td>{line.in_service_at === null ? dossiers.notYet : day(line.in_service_at)}</td>
            {onDraft !== null && <td><LineActions one={one} line={line} onDone={onDraft} /></td>}
          </tr>
        ))}
      </Table>
      {onDraft !== null && <div className="steps"><AddLine one={one} cameras={cameras} onDone={onDraft} /></div>}
    </section>
  );
}
