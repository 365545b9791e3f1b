import type { ReactNode } from "react";
import type { Person } from "../api/types";
import { useDesk } from "../shell/context";
import { Badge } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { daysUntil } from "../territory/deadlines";
import { dueDay, duesOf, isLate } from "./dues";

export function Dues(props: { persons: readonly Person[]; names: ReadonlyMap<string, string> }): ReactNode {
  const { now } = useDesk();
  const dues = duesOf(props.persons);
  const { persons } = fr;
  if (dues.length === 0) return <p className="quiet" role="status" data-testid="dues-none">{persons.noDues}</p>;
  return (
    <Table label={persons.duesCaption} caption={persons.duesCaption} heads={[persons.who, persons.due, persons.by, fr.tables.commune]} empty={false} testid="dues-table">
      {dues.map((due) => (
        <tr key={`${due.person.id} ${due.code} ${due.by} ${due.commune}`} data-code={due.code}>
          <th scope="row">{due.person.name}<small>{fr.role(due.person.role)}</small></th>
          <td><Badge tone={isLate(due, now()) ? "bad" : "warning"}>{persons.dueOf(due.code)}</Badge></td>
          <td className="line">{dueDay(due)}{due.by > now() && <small>{fr.tables.remaining(daysUntil(due.by, now()))}</small>}</td>
          <td>{due.commune === null ? "—" : (props.names.get(due.commune) ?? due.commune)}</td>
        </tr>
      ))}
    </Table>
  );
}
