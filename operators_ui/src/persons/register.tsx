import type { ReactNode } from "react";
import type { Person } from "../api/types";
import { day } from "../lib/time";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { Badge, ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { Period, Standing, Table } from "../tables/parts";
import { AgrementActions } from "./agrement-actions";

interface Props {
  readonly names: ReadonlyMap<string, string>;
  readonly onDone: () => void;
}

/** Agréments, yearly confirmations and leavers; supervision decides. */
export function Register(props: Props & { persons: readonly Person[]; blocks: boolean }): ReactNode {
  const { session } = useDesk();
  const { persons, tables } = fr;
  const decides = session.account.role === "supervisor";
  const heads = [tables.name, tables.category, tables.agrement, persons.inquiry, persons.review, persons.account, ...(decides ? [tables.action] : [])];
  return (
    <>
      {props.blocks && <p className="notice">{persons.blocks}</p>}
      <Table label={persons.registerCaption} caption={persons.registerCaption} heads={heads} empty={props.persons.length === 0} testid="register-table">
        {props.persons.map((person) => <Row key={person.id} person={person} decides={decides && person.id !== session.account.id} hasActions={decides} {...props} />)}
      </Table>
    </>
  );
}

function Row({ person, decides, hasActions, names, onDone }: Props & { person: Person; decides: boolean; hasActions: boolean }): ReactNode {
  const { persons } = fr;
  const { agrement } = person;
  return (
    <tr data-login={person.login}>
      <th scope="row">{person.name}<small>{person.login} · {fr.role(person.role)}</small></th>
      <td>{fr.category(person.category)}{person.employer !== null && <small>{names.get(person.employer) ?? person.employer}</small>}</td>
      <td>
        {agrement === null ? "—" : (
          <>
            {agrement.reference}{" "}
            <Standing fact={agrement} />
            <small><Period fact={agrement} /></small>
            <small>{persons.departements(agrement.departements.join(", "))}{agrement.prefet !== null && `, ${agrement.prefet}`}</small>
          </>
        )}
      </td>
      <td className="line">{agrement === null ? "—" : day(agrement.inquiry_by)}</td>
      <td>
        {person.confirmed_at === null ? persons.never : persons.confirmedAt(day(person.confirmed_at), person.confirmed_by)}
        {person.review_by !== null && <small>{persons.reviewBy(day(person.review_by))}</small>}
      </td>
      <td><Account person={person} /></td>
      {hasActions && <td>{decides && person.closed_at === null && <Actions person={person} onDone={onDone} />}</td>}
    </tr>
  );
}

function Account({ person }: { person: Person }): ReactNode {
  if (person.closed_at !== null) return <Badge tone="quiet">{fr.tables.closed} {day(person.closed_at)}</Badge>;
  if (person.closes_at !== null) return <Badge tone="warning">{fr.persons.leaving(day(person.closes_at))}</Badge>;
  return <Badge tone="good">{fr.tables.open}</Badge>;
}

function Actions({ person, onDone }: { person: Person; onDone: () => void }): ReactNode {
  const { persons, tables } = fr;
  const path = `/api/persons/${person.id}`;
  return (
    <>
      <AgrementActions person={person} onDone={onDone} />{" "}
      <Step label={persons.confirm} title={persons.confirmTitle(person.name)} path={`${path}/confirm`} testid="confirm-person" onDone={onDone} body={() => undefined}>
        <p>{persons.confirmHelp}</p>
      </Step>{" "}
      {person.leaving_at === null ? (
        <Step
          label={persons.leave} title={persons.leaveTitle(person.name)} path={`${path}/leave`} testid="leave-person" onDone={onDone}
          body={(form) => ({ reason: form.get("reason"), days: Number(form.get("days")) })}
        >
          <p className="notice notice-warning">{persons.leaveHelp}</p>
          <label>{persons.leaveDays}<input name="days" type="number" min={0} max={7} required defaultValue={7} /></label>
          <label>{tables.reason}<input name="reason" required minLength={3} maxLength={120} autoComplete="off" data-testid="reason" /></label>
        </Step>
      ) : (
        <ReasonButton label={persons.stay} title={persons.stayTitle(person.name)} warning={persons.stayHelp} path={`${path}/stay`} testid="stay-person" id={person.id} onDone={onDone} />
      )}
    </>
  );
}
