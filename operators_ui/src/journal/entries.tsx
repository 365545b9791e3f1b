/** Entries of the journal, searched. Never polled: each reading is itself an entry of the journal. */

import { useCallback, useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import type { Answer, Failed, Refused } from "../api/client";
import {
  checkpoint as checkpointBody, journal as journalBody, proof as proofBody, type Checkpoint, type JournalEntry,
} from "../api/types";
import type { Decoded } from "../lib/decode";
import { useKeys } from "../lib/keys";
import { saveJson } from "../lib/save";
import { clock, day, dayAndClock } from "../lib/time";
import { fromLocal } from "../recording/local-input";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { Badge, Loaded, Problem } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { Amount } from "./amount";
import { Choice, type Scope } from "./period-form";
import { csvPath, journalPath, NO_FILTER, type JournalFilter } from "./query";

export function Entries({ scope }: { scope: Scope }): ReactNode {
  const { api } = useDesk();
  const [filter, setFilter] = useState(NO_FILTER);
  const [before, setBefore] = useState<string | null>(null);
  const [page, setPage] = useState<Answer<Decoded<typeof journalBody>> | null>(null);
  const [seal, setSeal] = useState<Answer<Checkpoint> | null>(null);
  const load = useCallback(async () => {
    setPage(await api.get(journalPath(filter, before), journalBody));
    setSeal(await api.get("/api/journal/checkpoint", checkpointBody));
  }, [api, filter, before]);
  useEffect(() => void load(), [load]);
  const value = page?.kind === "ok" ? page.value : null;
  return (
    <>
      <Seal seal={seal} />
      <Filters scope={scope} onFilter={(next) => { setBefore(null); setFilter(next); }} onRefresh={() => void load()} />
      <Loaded value={value} problem={page === null || page.kind === "ok" ? null : page} onRetry={() => void load()}>
        {(shown) => (
          <>
            <Shown entries={shown.entries} isAll={before === null && shown.next === null} />
            <div className="pager">
              <button type="button" disabled={before === null} onClick={() => setBefore(null)}>{fr.journal.newest}</button>
              <button type="button" disabled={shown.next === null} onClick={() => setBefore(String(shown.next))} data-testid="journal-older">{fr.journal.older}</button>
              <a href={csvPath(filter)} download data-testid="journal-csv">{fr.journal.csv}</a>
              <span className="quiet">{fr.journal.csvHelp}</span>
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Seal({ seal }: { seal: Answer<Checkpoint> | null }): ReactNode {
  if (seal === null) return null;
  if (seal.kind !== "ok") return <div><span>{fr.journal.checkpointUnknown}</span> <Problem problem={seal} /></div>;
  const { tree_size, signed_at } = seal.value;
  return (
    <div className="seal" data-testid="checkpoint" data-size={tree_size}>
      {fr.journal.checkpoint(tree_size, signed_at === null ? "—" : dayAndClock(signed_at))} · <span className="quiet">{fr.journal.verify}</span>
    </div>
  );
}

const TIMES = ["from", "to"];

function Filters(props: { scope: Scope; onFilter: (filter: JournalFilter) => void; onRefresh: () => void }): ReactNode {
  const { scope } = props;
  const first = useRef<HTMLInputElement>(null);
  const [isWrong, setWrong] = useState(false);
  useKeys((event) => {
    if (event.key !== "/") return false;
    first.current?.focus();
    return true;
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const asked: Record<string, string> = {};
    for (const [name, value] of new FormData(event.currentTarget)) {
      const text = typeof value === "string" ? value.trim() : "";
      const at = TIMES.includes(name) ? fromLocal(text, name === "to") : null;
      if (text !== "") asked[name] = at === null ? text : new Date(at).toISOString();
    }
    const { from, to } = asked;
    const isBackwards = from !== undefined && to !== undefined && from >= to;
    setWrong(isBackwards); // it would find nothing, as if nothing had been done
    if (!isBackwards) props.onFilter(asked);
  };
  const { journal } = fr;
  const named = (names: Readonly<Record<string, string>>): (readonly [string, string])[] => Object.entries(names);
  return (
    <form className="filters" onSubmit={submit} role="search" aria-label={journal.searchTitle}>
      <label>{journal.from}<DateField kind="instant" field={first} name="from" testid="journal-from" isWrong={isWrong} /></label>
      <label>{journal.to}<DateField kind="instant" name="to" testid="journal-to" isWrong={isWrong} /></label>
      <Choice label={journal.agent} all={journal.allAgents} name="person" testid="journal-person" options={scope.persons.map(({ id, name }) => [id, name])} />
      <Choice label={journal.camera} all={journal.allCameras} name="camera" testid="journal-camera" options={scope.cameras.map((one) => [one.id, `${one.number} ${one.name} (${one.commune.name})`])} />
      {scope.communes.length > 1 && <Choice label={fr.tables.commune} all={journal.allCommunes} name="commune" testid="journal-commune" options={scope.communes.map(({ insee, name }) => [insee, name])} />}
      <Choice label={journal.opClass} all={journal.allClasses} name="class" testid="journal-class" options={named(journal.classes)} />
      <Choice label={journal.op} all={journal.allOps} name="op" testid="journal-op" options={scope.ops.map(({ op, label }) => [op, label])} />
      <Choice label={journal.motif} all={journal.allMotifs} name="motif" testid="journal-motif" options={scope.motifs.map(({ code, label }) => [code, label])} />
      <label>{journal.reference}<input name="reference" maxLength={40} autoComplete="off" data-testid="journal-reference" /></label>
      <Choice label={journal.result} all={journal.allResults} name="result" testid="journal-result" options={named(journal.results)} />
      <label>{journal.authorFilter}<input name="author" maxLength={100} data-testid="journal-author" autoComplete="off" /></label>
      <button type="submit" className="primary" data-testid="journal-apply">{journal.apply}</button>
      <button type="reset" onClick={() => { setWrong(false); props.onFilter(NO_FILTER); }} data-testid="journal-reset">{journal.reset}</button>
      <button type="button" onClick={props.onRefresh} data-testid="journal-refresh">{journal.refresh}</button>
      {isWrong && <p className="notice notice-error" role="alert">{journal.wrongPeriod}</p>}
    </form>
  );
}

function Shown({ entries, isAll }: { entries: readonly JournalEntry[]; isAll: boolean }): ReactNode {
  const { journal } = fr;
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  if (entries.length === 0) return <p className="quiet" role="status" data-testid="journal-none">{journal.empty}</p>;
  return (
    <>
      {problem && <Problem problem={problem} />}
      <Table
        label={journal.title} caption={journal.caption(entries.length, isAll)}
        heads={[journal.leaf, journal.at, journal.author, journal.op, journal.camera, journal.interval, journal.motif, journal.result, journal.workstation, journal.proof]}
        empty={false} testid="journal-table"
      >
        {entries.map((entry) => <EntryRow key={`${entry.leaf} ${entry.at}`} entry={entry} onProblem={setProblem} />)}
      </Table>
    </>
  );
}

function EntryRow({ entry, onProblem }: { entry: JournalEntry; onProblem: (problem: Refused | Failed | null) => void }): ReactNode {
  const refused = entry.result === "refused";
  const opClass = fr.journal.opClassOf(entry.op_class);
  return (
    <tr data-testid="journal-entry" data-op={entry.op} data-result={entry.result} data-refused={refused} data-camera={entry.camera ?? ""}>
      <th scope="row">{entry.leaf}</th>
      <td className="line">{dayAndClock(entry.at)}</td>
      <td>{entry.author}<small>{entry.quality && fr.category(entry.quality)}{entry.authority && ` · ${entry.authority}`}</small></td>
      <td>{entry.op_label ?? entry.op}<small>{[opClass, entry.about].filter(Boolean).join(" · ")}</small></td>
      <td>{entry.camera_name}</td>
      <td className="line">{entry.from !== null && <>{day(entry.from)}<br />{clock(entry.from)}{entry.to !== null && ` – ${clock(entry.to)}`}</>}<Amount {...entry} /></td>
      <td>{entry.motif ?? entry.given}{entry.motif_reference && <small>{entry.motif_reference}</small>}</td>
      <td className="result">
        {refused ? <Badge tone="bad">{fr.result(entry.result)}</Badge> : fr.result(entry.result)}
        {entry.reason && <small>{entry.reason}</small>}
        {entry.code && <small><code>{entry.code}</code></small>}
        {entry.recipients.length > 0 && <small>{fr.journal.recipients(entry.recipients.join(", "))}</small>}
      </td>
      <td>{entry.workstation}</td>
      <td>{entry.leaf !== null && <ProofButton leaf={entry.leaf} onProblem={onProblem} />}</td>
    </tr>
  );
}

function ProofButton({ leaf, onProblem }: { leaf: number; onProblem: (problem: Refused | Failed | null) => void }): ReactNode {
  const { api } = useDesk();
  const take = async (): Promise<void> => {
    const answer = await api.get(`/api/journal/${leaf}/proof`, proofBody);
    onProblem(answer.kind === "ok" ? null : answer);
    if (answer.kind === "ok") saveJson(`preuve-${leaf}.json`, answer.value);
  };
  return (
    <button type="button" onClick={() => void take()} data-testid="entry-proof">
      {fr.journal.takeProof}<span className="visually-hidden"> {fr.journal.ofEntry(leaf)}</span>
    </button>
  );
}
