import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { Failed, Refused } from "../api/client";
import { needs as needsBody, recorder as recorderBody, type CameraRef, type Directory, type Need, type RecorderState } from "../api/types";
import { usePolled } from "../lib/poll";
import { dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { balance, days, size } from "./arithmetic";
import { FreezeCard } from "./freeze-card";

const PERIOD_MS = 4_000;

export function Storage(): ReactNode {
  const { api, hints } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/recorder", recorderBody), [api]), PERIOD_MS);
  useEffect(() => hints.on("recorder", poke), [hints, poke]);
  const { storage } = fr.recording;
  return (
    <>
      <header><h1>{storage.title}</h1></header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(state) => state.answers ? <Answering state={state} onDone={poke} /> : (
          <p className="notice notice-error" role="alert" data-testid="recorder-away">{storage.away}</p>
        )}
      </Loaded>
    </>
  );
}

function Answering({ state, onDone }: { state: RecorderState; onDone: () => void }): ReactNode {
  const { storage } = fr.recording;
  return (
    <>
      {state.freezes.length === 0
        ? <p data-testid="no-freeze"><Badge tone="good">{storage.running}</Badge> {storage.runningText}</p>
        : state.freezes.map((freeze) => <FreezeCard key={freeze.id} freeze={freeze} onDone={onDone} />)}
      <Table
        label={storage.title} empty={state.storage.length === 0} testid="storage-table"
        heads={[storage.directory, storage.state, storage.free, storage.capacity, storage.needed, storage.held, storage.balance, storage.fullAt]}
      >
        {state.storage.map((one) => <DirectoryRow key={one.path} one={one} />)}
      </Table>
      {state.storage.map((one) => one.pressure !== null && <Sum key={one.path} one={one} pressure={one.pressure} />)}
      <Stopped cameras={state.stopped} />
      <DegradedMode state={state} />
    </>
  );
}

function DirectoryRow({ one }: { one: Directory }): ReactNode {
  const { storage } = fr.recording;
  const { pressure } = one;
  const isKnown = pressure !== null && pressure.bytes_per_day > 0;
  const spare = isKnown ? balance(pressure).spare_bytes : null;
  return (
    <tr data-path={one.path} data-ready={one.ready}>
      <td><code>{one.path}</code></td>
      <td>
        <Badge tone={one.ready ? (one.code === null ? "good" : "warning") : "bad"}>{one.ready ? storage.ready : storage.notReady}</Badge>
        {one.reason !== null && <small>{one.reason}</small>}
      </td>
      <td className="line">{one.ready ? size(one.free_bytes) : "—"}</td>
      <td className="line">{pressure === null ? "—" : size(pressure.capacity_bytes)}</td>
      <td className="line">{isKnown ? size(pressure.needed_bytes) : storage.unknown}</td>
      <td className="line">{pressure === null ? "—" : size(pressure.held_bytes)}</td>
      <td>{spare === null ? "—" : <Badge tone={spare < 0 ? "bad" : "good"}>{spare < 0 ? storage.missing(size(-spare)) : storage.spare(size(spare))}</Badge>}</td>
      <td>{!isKnown ? "—" : pressure.full_at === null ? storage.fits : <Badge tone="bad">{dayAndClock(pressure.full_at)}</Badge>}</td>
    </tr>
  );
}

/** The arithmetic, so that a person can do it again by hand. */
function Sum(props: { one: Directory; pressure: NonNullable<Directory["pressure"]> }): ReactNode {
  const { storage } = fr.recording;
  const { pressure } = props;
  const sum = balance(pressure);
  return (
    <section className="sum" data-testid="sum" data-path={props.one.path}>
      <h2>{storage.sumTitle} <code>{props.one.path}</code></h2>
      {sum.days === null ? <p className="quiet">{storage.noRate}</p> : (
        <>
          <p>{storage.sumNeeded(size(pressure.bytes_per_day), days(sum.days), size(pressure.needed_bytes))}</p>
          <p>{storage.sumWanted(size(pressure.needed_bytes), size(pressure.held_bytes), size(sum.wanted_bytes))}</p>
          <p>
            {storage.sumBalance(size(pressure.capacity_bytes), size(sum.wanted_bytes))}{" "}
            <strong>{sum.spare_bytes < 0 ? storage.missing(size(-sum.spare_bytes)) : storage.spare(size(sum.spare_bytes))}</strong>
          </p>
          <p className="quiet">{storage.sumHelp}</p>
        </>
      )}
      <ByCamera path={props.one.path} />
    </section>
  );
}

/** The same sum camera by camera, asked of the recorder when a person opens it. */
function ByCamera({ path }: { path: string }): ReactNode {
  const { api } = useDesk();
  const [open, setOpen] = useState(false);
  const { storage } = fr.recording;
  const [value, setValue] = useState<readonly Need[] | null>(null);
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const load = useCallback(async (): Promise<void> => {
    const answer = await api.get("/api/recorder/needs", needsBody);
    if (answer.kind !== "ok") return setProblem(answer);
    setProblem(null);
    setValue(answer.value.filter((need) => need.path === path));
  }, [api, path]);
  const toggle = (): void => {
    if (!open) void load();
    setOpen(!open);
  };
  return (
    <>
      <p><button type="button" aria-expanded={open} onClick={toggle} data-testid="needs-toggle">{storage.byCamera}</button></p>
      {open && (
        <Loaded value={value} problem={problem} onRetry={() => void load()}>
          {(needs) => (
            <Table
              label={storage.byCamera} heads={[fr.recording.camera, storage.rate, storage.retention, storage.needed]}
              empty={needs.length === 0} testid="needs-table"
            >
              {needs.map((need) => (
                <tr key={need.camera.id} data-camera={need.camera.id}>
                  <td>{named(need.camera)}</td>
                  <td>{storage.perDay(size(need.bytes_per_day))}</td>
                  <td>{fr.tables.days(need.retention_days)}</td>
                  <td>{size(need.needed_bytes)}</td>
                </tr>
              ))}
            </Table>
          )}
        </Loaded>
      )}
    </>
  );
}

const named = (camera: CameraRef): string => `${camera.number} ${camera.name} (${camera.commune.name})`;

function Stopped({ cameras }: { cameras: readonly CameraRef[] }): ReactNode {
  if (cameras.length === 0) return null;
  return (
    <section className="notice notice-error" data-testid="stopped-cameras">
      <div>
        <h2>{fr.recording.storage.stopped}</h2>
        <ul>{cameras.map((camera) => <li key={camera.id}>{named(camera)}</li>)}</ul>
      </div>
    </section>
  );
}

function DegradedMode({ state }: { state: RecorderState }): ReactNode {
  const { degraded: words } = fr.recording;
  const { degraded } = state;
  if (degraded === null || degraded.level === 0) {
    return <p data-testid="degraded" data-level="0"><Badge tone="good">{words.full}</Badge> {words.fullText}</p>;
  }
  return (
    <section className="notice notice-warning" data-testid="degraded" data-level={degraded.level}>
      <div>
        <h2>{words.title(degraded.level)}</h2>
        <p>{degraded.reason} {degraded.since !== null && `${words.since} ${dayAndClock(degraded.since)}.`}</p>
        <ol>{words.levels.slice(0, degraded.level).map((level) => <li key={level}>{level}</li>)}</ol>
        {degraded.given_up.length > 0 && (
          <details>
            <summary>{words.givenUp(degraded.given_up.length)}</summary>
            <ul>{degraded.given_up.map((one) => <li key={`${one.id} ${one.stream}`}>{named(one)} : {words.stream(one.stream)}</li>)}</ul>
          </details>
        )}
      </div>
    </section>
  );
}
