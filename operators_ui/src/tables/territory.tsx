import { useCallback, type ReactNode } from "react";
import { territory as territoryBody, type TerritoryCommune } from "../api/types";
import { usePolled } from "../lib/poll";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import { fr } from "../strings";
import { byAuthorisation } from "./by-authorisation";
import { Period, Standing, SuspendButton, Table } from "./parts";

const PERIOD_MS = 15_000;
const MAY_SUSPEND_CONVENTIONS = new Set(["delegate", "administrator"]);

export function Territory(): ReactNode {
  const { api } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/territory", territoryBody), [api]), PERIOD_MS);
  return (
    <>
      <header><h1>{fr.tables.territoryTitle}</h1></header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(communes) => communes.map((commune) => <Commune key={commune.insee} commune={commune} onDone={poke} />)}
      </Loaded>
    </>
  );
}

function Commune(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { commune } = props;
  return (
    <section className="commune" data-testid="commune" data-insee={commune.insee}>
      <h2>{commune.name} <span className="quiet">{commune.insee} · {fr.tables.authority} : {commune.authority}</span></h2>
      <Conventions {...props} />
      <Authorisations {...props} />
    </section>
  );
}

function Conventions(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { commune } = props;
  const { tables } = fr;
  const decides = MAY_SUSPEND_CONVENTIONS.has(session.account.role);
  if (commune.conventions.length === 0) return <p className="notice notice-warning">{tables.convention} : {tables.none.toLowerCase()}</p>;
  return (
    <Table label={`${tables.convention}, ${commune.name}`} caption={`${tables.conventions}, ${commune.name}`} heads={[tables.convention, tables.period, tables.state, ...(decides ? [tables.action] : [])]} empty={false} testid="conventions-table">
      {commune.conventions.map((one) => (
        <tr key={one.id}>
          <td>{one.reference}<small>{tables.conventionKinds(one.kind)} {tables.partner} {one.partner}</small></td>
          <td><Period fact={one} /></td>
          <td><Standing fact={one} /></td>
          {decides && (
            <td>
              <SuspendButton
                kind="conventions" id={one.id} what={`${commune.name}, ${one.reference}`} fact={one} onDone={props.onDone}
                help={one.kind === "IV" ? tables.suspendConventionHelp : tables.suspendRecordHelp}
              />
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}

function Authorisations(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { tables } = fr;
  const decides = session.account.role === "administrator";
  const { groups, bare } = byAuthorisation(props.commune.cameras);
  return (
    <>
      <Table
        label={`${tables.authorisation}, ${props.commune.name}`} caption={`${tables.authorisationsInForce}, ${props.commune.name}`}
        heads={[tables.authorisation, tables.cameras, tables.retention, tables.validity, tables.state, ...(decides ? [tables.action] : [])]}
        empty={groups.length === 0} testid="authorisations-table"
      >
        {groups.map(({ line, cameras }) => (
          <tr key={`${line.id} ${line.retention_days}`} data-id={line.id}>
            <td>{line.reference}</td>
            <td>{cameras.map((camera) => <div key={camera.id}><span className="number">{camera.number}</span> {camera.name} <small className="inline">{camera.site}</small></div>)}</td>
            <td>{tables.days(line.retention_days)}</td>
            <td><Period fact={line} /></td>
            <td><Standing fact={line} /></td>
            {decides && <td><SuspendButton kind="authorisations" id={line.id} what={line.reference} fact={line} onDone={props.onDone} /></td>}
          </tr>
        ))}
      </Table>
      {bare.length > 0 && (
        <p className="notice notice-warning">{tables.noAuthorisation} {bare.map((camera) => `${camera.number} ${camera.name}`).join(", ")}</p>
      )}
    </>
  );
}
