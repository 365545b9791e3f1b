import { useState, type ReactNode } from "react";
import type { Person } from "../api/types";
import { day } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { Period, Standing, SuspendButton, Table } from "../tables/parts";
import { validity } from "../tables/validity";
import { GrantDialog } from "./grant-dialog";

const MAY_HABILITATE = new Set(["supervisor", "delegate"]);

interface Props {
  readonly persons: readonly Person[];
  readonly names: ReadonlyMap<string, string>;
  readonly onDone: () => void;
}

/** Designations and delegations: a mayor's delegate decides those of the own commune. */
export function Habilitations({ persons, names, onDone }: Props): ReactNode {
  const { now, session } = useDesk();
  const [granting, setGranting] = useState(false);
  const { tables } = fr;
  const decides = MAY_HABILITATE.has(session.account.role);
  const heads = [tables.name, tables.category, tables.commune, tables.rights, tables.period, tables.state, ...(decides ? [tables.action] : [])];
  return (
    <>
      {decides && <p><button type="button" className="primary" onClick={() => setGranting(true)} data-testid="grant">{tables.grant}</button></p>}
      {granting && <GrantDialog persons={persons} communes={names} onClose={() => setGranting(false)} onDone={onDone} />}
      <Table label={tables.personsTitle} caption={fr.persons.habilitationsCaption} heads={heads} empty={persons.length === 0} testid="persons-table">
        {persons.flatMap((person) => rowsOf(person, names, now(), decides, onDone))}
      </Table>
    </>
  );
}

function rowsOf(person: Person, names: ReadonlyMap<string, string>, now: number, decides: boolean, onDone: () => void): ReactNode[] {
  const who = (
    <>
      <th scope="row">{person.name}<small>{fr.role(person.role)}</small></th>
      <td>{fr.category(person.category)}</td>
    </>
  );
  if (person.habilitations.length === 0) {
    return [
      <tr key={person.id}>
        {who}
        <td colSpan={decides ? 5 : 4}>{person.closed_at === null ? fr.tables.none : <Badge tone="quiet">{fr.tables.closed} {day(person.closed_at)}</Badge>}</td>
      </tr>,
    ];
  }
  return person.habilitations.map((held) => {
    const what = `${person.name}, ${names.get(held.commune) ?? held.commune}`;
    return (
      <tr key={held.id} data-habilitation={held.id}>
        {who}
        <td>{names.get(held.commune) ?? held.commune}<small>{fr.basis(held.basis)} {held.reference}{held.signed_by !== null && `, ${held.signed_by}`}</small></td>
        <td>{held.rights.map(fr.right).join(", ")}{held.regimes !== null && <small>{held.regimes.map(fr.persons.regime).join(", ")}</small>}</td>
        <td><Period fact={held} /></td>
        <td><Standing fact={held} /></td>
        {decides && <td>
          <SuspendButton kind="habilitations" id={held.id} what={what} fact={held} onDone={onDone} />{" "}
          {validity(held, now) !== "over" && (
            <ReasonButton
              label={fr.tables.end} title={fr.tables.endTitle(what)} warning={fr.tables.endHelp}
              path={`/api/habilitations/${held.id}/end`} testid="end-habilitation" id={held.id} onDone={onDone}
            />
          )}
        </td>}
      </tr>
    );
  });
}
