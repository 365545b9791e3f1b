import { useCallback, type ReactNode } from "react";
import { territory as territoryBody, type TerritoryCommune } from "../api/types";
import { usePolled } from "../lib/poll";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import { dayNumber } from "../statements/months";
import { fr } from "../strings";
import { ChangeCommune, ConnectCamera, EnterCamera, EnterConvention, EnterSite, JoinCommune } from "../territory/joining-forms";
import { joining } from "../territory/words";
import { byAuthorisation } from "./by-authorisation";
import { Period, Standing, SuspendButton, Table } from "./parts";

const PERIOD_MS = 15_000;
/** Who runs the centre enters what a commune brings; how a camera is reached is for administration alone. */
const MAY_ENTER = new Set(["supervisor", "administrator"]);
const MAY_SUSPEND_CONVENTIONS = new Set(["delegate", "administrator"]);

export function Territory(): ReactNode {
  const { api, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/territory", territoryBody), [api]), PERIOD_MS);
  return (
    <>
      <header>
        <h1>{fr.tables.territoryTitle}</h1>
        {MAY_ENTER.has(session.account.role) && <JoinCommune onDone={poke} />}
      </header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(communes) => communes.map((commune) => <Commune key={commune.insee} commune={commune} onDone={poke} />)}
      </Loaded>
    </>
  );
}

function Commune(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { commune } = props;
  const { role } = session.account;
  return (
    <section className="commune" data-testid="commune" data-insee={commune.insee}>
      <h2>{commune.name} <span className="quiet">{commune.insee} · {fr.tables.authority} : {commune.authority}</span></h2>
      {MAY_ENTER.has(role) && (
        <div className="steps" role="group" aria-label={commune.name} data-testid="commune-steps">
          <EnterConvention {...props} /> <EnterSite {...props} site={null} /> {role === "administrator" && commune.sites.length > 0 && <EnterCamera {...props} />}
        </div>
      )}
      <details data-testid="commune-more">
        <summary>{joining.more}</summary>
        <Answers {...props} />
        <Sites {...props} />
        <CamerasOf {...props} />
      </details>
      <Conventions {...props} />
      <Authorisations {...props} />
    </section>
  );
}

/** What the commune answers for (CSI L.132-14, R.253-7): without it no arrêté comes into service. */
function Answers(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { commune } = props;
  const on = (reference: string | null, day: string | null): string | null => (reference === null ? null : joining.of(reference, day === null ? "—" : dayNumber(day)));
  const rows: readonly [string, string | null][] = [
    [joining.controller, commune.controller], [joining.dpo, commune.dpo],
    [joining.deliberation, on(commune.deliberation, commune.deliberation_on)], [joining.cnil, on(commune.cnil_receipt, commune.cnil_sent_on)],
  ];
  return (
    <>
      <Table label={joining.facts(commune.name)} caption={joining.facts(commune.name)} heads={[joining.what, joining.told]} empty={false} testid="answers-table">
        {rows.map(([what, told]) => <tr key={what}><th scope="row">{what}</th><td>{told ?? <span className="quiet">{joining.missing}</span>}</td></tr>)}
      </Table>
      {MAY_ENTER.has(session.account.role) && <div className="steps"><ChangeCommune {...props} /></div>}
    </>
  );
}

function Sites(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { commune } = props;
  const decides = MAY_ENTER.has(session.account.role);
  if (commune.sites.length === 0) return null;
  const label = joining.sites(commune.name);
  return (
    <Table label={label} caption={label} heads={[joining.siteName, joining.address, ...(decides ? [fr.tables.action] : [])]} empty={false} testid="sites-table">
      {commune.sites.map((site) => (
        <tr key={site.name}>
          <th scope="row">{site.name}</th>
          <td>{site.address ?? "—"}{site.latitude !== null && site.longitude !== null && <small>{site.latitude}, {site.longitude}</small>}</td>
          {decides && <td><EnterSite {...props} site={site} /></td>}
        </tr>
      ))}
    </Table>
  );
}

function CamerasOf(props: { commune: TerritoryCommune; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const { commune, onDone } = props;
  const decides = session.account.role === "administrator";
  if (commune.cameras.length === 0) return null;
  const label = joining.cameras(commune.name);
  return (
    <Table label={label} caption={label} heads={[fr.tables.camera, fr.tables.site, joining.regime, ...(decides ? [fr.tables.action] : [])]} empty={false} testid="commune-cameras-table">
      {commune.cameras.map((camera) => (
        <tr key={camera.id} data-camera={camera.id}>
          <th scope="row"><span className="number">{camera.number}</span> {camera.name}</th>
          <td>{camera.site}</td>
          <td>{fr.persons.regime(camera.regime)}</td>
          {decides && <td><ConnectCamera camera={camera} onDone={onDone} /></td>}
        </tr>
      ))}
    </Table>
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
          <td>{one.reference}<small>{tables.conventionKinds(one.kind)} · {one.partner}</small></td>
          <td><Period fact={one} /></td>
          <td><Standing fact={one} /></td>
          {decides && (
            <td>
              {one.suspended_as === "delegate" && session.account.role !== "delegate"
                ? <small>{tables.suspendedByCommune}</small>
                : (
                  <SuspendButton
                    kind="conventions" id={one.id} what={`${commune.name}, ${one.reference}`} fact={one} onDone={props.onDone}
                    help={one.kind === "IV" ? tables.suspendConventionHelp : tables.suspendRecordHelp}
                  />
                )}
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
