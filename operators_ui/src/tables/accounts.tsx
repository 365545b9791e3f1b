import { useCallback, useState, type FormEvent, type ReactNode } from "react";
import { nothing, type Failed, type Refused } from "../api/client";
import { accounts as accountsBody, createdAccount, territory as territoryBody, type Account, type TerritoryCommune } from "../api/types";
import { useOffered } from "../lib/asked";
import { usePolled } from "../lib/poll";
import { day } from "../lib/time";
import { Step } from "../recording/step";
import { useDesk } from "../shell/context";
import { Badge, Dialog, Loaded, Problem } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "./parts";

const PERIOD_MS = 15_000;

export function Accounts(): ReactNode {
  const { api } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/accounts", accountsBody), [api]), PERIOD_MS);
  const communes = useOffered("/api/territory", territoryBody) ?? [];
  const [creating, setCreating] = useState(false);
  const { tables } = fr;
  return (
    <div className="table-page">
      <header>
        <h1>{tables.accountsTitle}</h1>
        <button type="button" className="primary" onClick={() => setCreating(true)} data-testid="create-account">{tables.create}</button>
      </header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {({ accounts, inquiry_blocks }) => (
          <>
            <InquiryRule blocks={inquiry_blocks} onDone={poke} />
            <Table label={tables.accountsTitle} heads={[tables.login, tables.name, tables.role, tables.category, tables.commune, tables.state, tables.action]} empty={accounts.length === 0} testid="accounts-table">
              {accounts.map((account) => <Row key={account.id} account={account} employer={nameOf(account.employer, communes)} onDone={poke} />)}
            </Table>
          </>
        )}
      </Loaded>
      {creating && <NewAccount communes={communes} onClose={() => setCreating(false)} onDone={poke} />}
    </div>
  );
}

/** What a late administrative inquiry does here: the law leaves it to the centre (circulaire NOR IOMB2403160C). */
function InquiryRule({ blocks, onDone }: { blocks: boolean; onDone: () => void }): ReactNode {
  const { rule } = fr.tables;
  return (
    <div className="notice" data-testid="inquiry-rule" data-on={blocks}>
      {blocks ? rule.on : rule.off}{" "}
      <Step label={blocks ? rule.turnOff : rule.turnOn} title={rule.title} path="/api/rules/inquiry" method="PUT" testid="set-inquiry-rule" onDone={onDone} body={() => ({ is_on: !blocks })}>
        <p className="notice notice-warning">{blocks ? rule.offHelp : rule.onHelp}</p>
      </Step>
    </div>
  );
}

const nameOf = (insee: string | null, communes: readonly TerritoryCommune[]): string =>
  insee === null ? "—" : (communes.find((one) => one.insee === insee)?.name ?? insee);

function Row(props: { account: Account; employer: string; onDone: () => void }): ReactNode {
  const { account } = props;
  return (
    <tr data-login={account.login}>
      <td>{account.login}</td>
      <td>{account.name}</td>
      <td>{fr.role(account.role)}</td>
      <td>{fr.category(account.category)}</td>
      <td>{props.employer}</td>
      <td>{account.closed_at === null ? <Badge tone="good">{fr.tables.open}</Badge> : <Badge tone="quiet">{fr.tables.closed} {day(account.closed_at)}</Badge>}</td>
      <td>{account.closed_at === null && <Actions {...props} />}</td>
    </tr>
  );
}

function Actions(props: { account: Account; onDone: () => void }): ReactNode {
  const { api } = useDesk();
  const { account, onDone } = props;
  const { tables } = fr;
  const [asking, setAsking] = useState<"none" | "close" | "reset">("none");
  const [given, setGiven] = useState<string | null>(null);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const ask = (what: "none" | "close" | "reset"): void => {
    setProblem(null);
    setAsking(what);
  };
  const confirm = async (): Promise<void> => {
    const answer = asking === "close"
      ? await api.send("POST", `/api/accounts/${account.id}/close`, {}, nothing)
      : await api.send("POST", `/api/accounts/${account.id}/password`, {}, createdAccount);
    if (answer.kind !== "ok") return setProblem(answer);
    setGiven(answer.value?.password ?? null);
    setAsking("none");
    onDone();
  };
  return (
    <>
      <button type="button" onClick={() => ask("reset")} data-testid="reset-password">{tables.reset}</button>{" "}
      <button type="button" onClick={() => ask("close")} data-testid="close-account">{tables.close}</button>
      {asking !== "none" && (
        <Dialog
          title={asking === "close" ? tables.closeTitle(account.login) : tables.resetTitle(account.login)}
          onClose={() => ask("none")} testid={`${asking}-dialog`}
        >
          <form onSubmit={(event) => { event.preventDefault(); void confirm(); }}>
            <p className="notice notice-warning">{asking === "close" ? tables.closeHelp : tables.resetHelp}</p>
            {problem && <Problem problem={problem} />}
            <div className="actions">
              <button type="button" onClick={() => ask("none")}>{tables.cancel}</button>
              <button type="submit" className="primary" data-testid={`${asking}-submit`}>{tables.confirm}</button>
            </div>
          </form>
        </Dialog>
      )}
      {given !== null && <OnceShown login={account.login} password={given} onClose={() => setGiven(null)} />}
    </>
  );
}

function OnceShown(props: { login: string; password: string; onClose: () => void }): ReactNode {
  const { tables } = fr;
  return (
    <Dialog title={props.login} onClose={props.onClose} testid="created-dialog">
      <p>{tables.secret(props.login)}</p>
      <p className="secret"><code data-testid="created-password">{props.password}</code></p>
      <p className="quiet">{tables.secretHelp}</p>
      <div className="actions"><button type="button" className="primary" onClick={props.onClose}>{fr.help.close}</button></div>
    </Dialog>
  );
}

function NewAccount(props: { communes: readonly TerritoryCommune[]; onClose: () => void; onDone: () => void }): ReactNode {
  const { api } = useDesk();
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const [created, setCreated] = useState<{ login: string; password: string } | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.currentTarget));
    const body = { ...fields, employer: fields["employer"] === "" ? null : fields["employer"] };
    const answer = await api.send("POST", "/api/accounts", body, createdAccount);
    if (answer.kind !== "ok") return setProblem(answer);
    setCreated(answer.value);
    props.onDone();
  };
  const { tables } = fr;
  if (created !== null) return <OnceShown {...created} onClose={props.onClose} />;
  return (
    <Dialog title={tables.create} onClose={props.onClose} testid="account-dialog">
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">{tables.createHelp}</p>
        {problem && <Problem problem={problem} />}
        <label>{tables.login}<input name="login" required pattern="[a-z0-9][a-z0-9._\-]{1,63}" title={tables.loginHint} autoComplete="off" autoFocus /></label>
        <label>{tables.name}<input name="name" required minLength={2} maxLength={80} autoComplete="off" /></label>
        <Choice label={tables.role} name="role" options={fr.roles} />
        <Choice label={tables.category} name="category" options={fr.categories} />
        <label>
          {tables.employer}
          <select name="employer">
            <option value="">{tables.noEmployer}</option>
            {props.communes.map(({ insee, name }) => <option key={insee} value={insee}>{name} ({insee})</option>)}
          </select>
        </label>
        <div className="actions">
          <button type="button" onClick={props.onClose}>{tables.cancel}</button>
          <button type="submit" className="primary">{tables.confirm}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Choice(props: { label: string; name: string; options: Readonly<Record<string, string>> }): ReactNode {
  return (
    <label>
      {props.label}
      <select name={props.name} required>
        {Object.entries(props.options).map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </label>
  );
}
