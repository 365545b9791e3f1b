/** The journal for those who control. Never polled: each reading is itself an entry of the journal. */

import { useCallback, useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { Answer } from "../api/client";
import { cameras as camerasBody, checkpoint as checkpointBody, journal as journalBody, type Camera, type Checkpoint, type JournalEntry } from "../api/types";
import type { Decoded } from "../lib/decode";
import { clock, day, dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded, Problem } from "../shell/parts";
import { fr } from "../strings";
import { journalPath, NO_FILTER, type JournalFilter } from "./journal-query";
import { Table } from "./parts";

type Page = Decoded<typeof journalBody>;

export function Journal(): ReactNode {
  const { api } = useDesk();
  const [filter, setFilter] = useState(NO_FILTER);
  const [before, setBefore] = useState<string | null>(null);
  const [page, setPage] = useState<Answer<Page> | null>(null);
  const [seal, setSeal] = useState<Answer<Checkpoint> | null>(null);
  const load = useCallback(async () => {
    setPage(await api.get(journalPath(filter, before), journalBody));
    setSeal(await api.get("/api/journal/checkpoint", checkpointBody));
  }, [api, filter, before]);
  useEffect(() => void load(), [load]);
  const value = page?.kind === "ok" ? page.value : null;
  return (
    <div className="table-page" data-testid="journal">
      <header>
        <h1>{fr.journal.title}</h1>
        <Seal seal={seal} />
      </header>
      <Filters onFilter={(next) => { setBefore(null); setFilter(next); }} onRefresh={() => void load()} />
      <Loaded value={value} problem={page === null || page.kind === "ok" ? null : page} onRetry={() => void load()}>
        {(shown) => (
          <>
            <Entries entries={shown.entries} />
            <div className="pager">
              <button type="button" disabled={before === null} onClick={() => setBefore(null)}>{fr.journal.newest}</button>
              <button type="button" disabled={shown.next === null} onClick={() => setBefore(String(shown.next))} data-testid="journal-older">{fr.journal.older}</button>
            </div>
          </>
        )}
      </Loaded>
    </div>
  );
}

function Seal(props: { seal: Answer<Checkpoint> | null }): ReactNode {
  const { seal } = props;
  if (seal === null) return null;
  if (seal.kind !== "ok") return <><span>{fr.journal.checkpointUnknown}</span> <Problem problem={seal} /></>;
  const { tree_size, root, signed_at, key } = seal.value;
  return (
    <div className="seal" data-testid="checkpoint" data-size={tree_size}>
      {fr.journal.checkpoint(tree_size, signed_at === null ? "—" : dayAndClock(signed_at))} · <span className="quiet">{fr.journal.verify}</span>
      <code>{fr.journal.checkpointKey(root, key ?? "—")}</code>
    </div>
  );
}

function Filters(props: { onFilter: (filter: JournalFilter) => void; onRefresh: () => void }): ReactNode {
  const { api } = useDesk();
  const [cameras, setCameras] = useState<readonly Camera[]>([]);
  useEffect(() => {
    void api.get("/api/cameras", camerasBody).then((answer) => answer.kind === "ok" && setCameras(answer.value));
  }, [api]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const of = (name: string): string => {
      const value = form.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    props.onFilter({ op: of("op"), camera: of("camera"), author: of("author") });
  };
  return (
    <form className="filters" onSubmit={submit} role="search">
      <label>
        {fr.journal.op}
        <select name="op" data-testid="journal-op">
          <option value="">{fr.journal.allOps}</option>
          {Object.entries(fr.ops).map(([op, label]) => <option key={op} value={op}>{label}</option>)}
        </select>
      </label>
      <label>
        {fr.journal.camera}
        <select name="camera" data-testid="journal-camera">
          <option value="">{fr.journal.allCameras}</option>
          {cameras.map((camera) => <option key={camera.id} value={camera.id}>{camera.number} {camera.name} ({camera.commune.name})</option>)}
        </select>
      </label>
      <label>{fr.journal.authorFilter}<input name="author" data-testid="journal-author" autoComplete="off" /></label>
      <button type="submit" className="primary" data-testid="journal-apply">{fr.journal.apply}</button>
      <button type="button" onClick={props.onRefresh} data-testid="journal-refresh">{fr.journal.refresh}</button>
    </form>
  );
}

function Entries(props: { entries: readonly JournalEntry[] }): ReactNode {
  const { journal } = fr;
  if (props.entries.length === 0) return <p className="quiet">{journal.empty}</p>;
  return (
    <Table
      label={journal.title}
      heads={[journal.leaf, journal.at, journal.author, journal.op, journal.camera, journal.interval, journal.motif, journal.result, journal.workstation]}
      empty={false} testid="journal-table"
    >
      {props.entries.map((entry) => <EntryRow key={`${entry.leaf} ${entry.at}`} entry={entry} />)}
    </Table>
  );
}

function EntryRow({ entry }: { entry: JournalEntry }): ReactNode {
  const refused = entry.result === "refused";
  return (
    <tr data-testid="journal-entry" data-op={entry.op} data-result={entry.result} data-refused={refused} data-camera={entry.camera ?? ""}>
      <td>{entry.leaf}</td>
      <td className="line">{dayAndClock(entry.at)}</td>
      <td>{entry.author}<small>{entry.quality}{entry.authority && ` · ${entry.authority}`}</small></td>
      <td className="line">{entry.op_label ?? entry.op}{entry.about && <small>{entry.about}</small>}</td>
      <td className="line">{entry.camera_name}</td>
      <td className="line">{entry.from !== null && <>{day(entry.from)}<br />{clock(entry.from)}{entry.to !== null && ` – ${clock(entry.to)}`}</>}</td>
      <td>{entry.motif ?? entry.given}{entry.motif_reference && <small>{entry.motif_reference}</small>}</td>
      <td className="result">
        {refused ? <Badge tone="bad">{fr.result(entry.result)}</Badge> : fr.result(entry.result)}
        {entry.reason && <small>{entry.reason}</small>}
        {entry.code && <small><code>{entry.code}</code></small>}
      </td>
      <td>{entry.workstation}</td>
    </tr>
  );
}
