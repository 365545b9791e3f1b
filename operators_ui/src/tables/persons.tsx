import { useCallback, useEffect, useState, type ReactNode } from "react";
import { persons as personsBody, territory as territoryBody, type Person } from "../api/types";
import { usePolled } from "../lib/poll";
import { day } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded, ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { GrantDialog } from "./grant-dialog";
import { Period, Standing, SuspendButton, Table } from "./parts";
import { validity } from "./validity";

const PERIOD_MS = 15_000;

export function Persons(): ReactNode {
  const { api, now } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/persons", personsBody), [api]), PERIOD_MS);
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    void api.get("/api/territory", territoryBody).then((answer) => {
      if (answer.kind === "ok") setNames(new Map(answer.value.map((commune) => [commune.insee, commune.name])));
    });
  }, [api]);
  const [granting, setGranting] = useState(false);
  const { tables } = fr;
  return (
    <div className="table-page">
      <header>
        <h1>{tables.personsTitle}</h1>
        <button type="button" className="primary" onClick={() => setGranting(true)} data-testid="grant">{tables.grant}</button>
      </header>
      {granting && <GrantDialog persons={value ?? []} communes={names} onClose={() => setGranting(false)} onDone={poke} />}
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(persons) => (
          <Table
            label={tables.personsTitle}
            heads={[tables.name, tables.category, tables.agrement, tables.commune, tables.rights, tables.period, tables.state, tables.action]}
            empty={persons.length === 0} testid="persons-table"
          >
            {persons.flatMap((person) => rowsOf(person, names, now(), poke))}
          </Table>
        )}
      </Loaded>
    </div>
  );
}

function rowsOf(person: Person, names: ReadonlyMap<string, string>, now: number, onDone: () => void): ReactNode[] {
  const who = (
    <>
      <td>{person.name}<small>{fr.role(person.role)}</small></td>
      <td>{fr.category(person.category)}</td>
      <td>{person.agrement_reference ?? "—"}{person.agrement_to !== null && <small>{day(person.agrement_to)}</small>}</td>
    </>
  );
  if (person.habilitations.length === 0) {
    return [
      <tr key={person.id}>
        {who}
        <td colSpan={5}>{person.closed_at === null ? fr.tables.none : <Badge tone="quiet">{fr.tables.closed} {day(person.closed_at)}</Badge>}</td>
      </tr>,
    ];
  }
  return person.habilitations.map((held) => {
    const what = `${person.name}, ${names.get(held.commune) ?? held.commune}`;
    return (
      <tr key={held.id} data-habilitation={held.id}>
        {who}
        <td>{names.get(held.commune) ?? held.commune}<small>{fr.basis(held.basis)} {held.reference}</small></td>
        <td>{held.rights.map(fr.right).join(", ")}</td>
        <td><Period fact={held} /></td>
        <td><Standing fact={held} /></td>
        <td>
          <SuspendButton kind="habilitations" id={held.id} what={what} fact={held} onDone={onDone} />{" "}
          {validity(held, now) !== "over" && (
            <ReasonButton
              label={fr.tables.end} title={fr.tables.endTitle(what)} warning={fr.tables.endHelp}
              path={`/api/habilitations/${held.id}/end`} testid="end-habilitation" id={held.id} onDone={onDone}
            />
          )}
        </td>
      </tr>
    );
  });
}
