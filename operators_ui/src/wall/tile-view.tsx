import { useEffect, useRef, useState, type ReactNode } from "react";
import type { Camera } from "../api/types";
import { announcement } from "../lib/announcement";
import { age as ageText } from "../lib/time";
import type { LiveSession } from "../live/live-session";
import { OF_RIGHTS, type Tile, type TileState } from "../live/session-state";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { phaseOf } from "./phase";

const AGE_PERIOD_MS = 200;

export interface TileProps {
  readonly slot: number;
  readonly name: string;
  readonly camera: Camera | null;
  readonly tile: Tile | null;
  readonly live: LiveSession;
  readonly focused: boolean;
  readonly onFocus: () => void;
  readonly onOpen: () => void;
  readonly onAgain: () => void;
  readonly onPick: () => void;
  readonly onClear: () => void;
}

export function TileView(props: TileProps): ReactNode {
  const { camera, tile, slot } = props;
  const element = useRef<HTMLElement>(null);
  const age = useRef<HTMLSpanElement>(null);
  const state = useTileState(camera !== null, tile);
  useAge(props.live, props.name, state, element, age);
  const label = camera === null ? `${fr.wall.tile(slot + 1)} : ${fr.wall.empty}` : `${fr.wall.tile(slot + 1)} : ${camera.name}, ${camera.commune.name}`;
  return (
    <section
      ref={element} className="tile" tabIndex={props.focused ? 0 : -1} aria-label={label} data-testid="tile" data-slot={slot}
      data-camera={camera?.id ?? ""} data-stream={tile?.wanted.stream ?? ""} data-focused={props.focused}
      onFocus={props.onFocus} onDoubleClick={props.onOpen}
    >
      {camera === null ? (
        <button type="button" className="tile-empty" onClick={props.onPick}>
          <span>{fr.wall.empty}</span>
          <small>{fr.wall.emptyHelp}</small>
        </button>
      ) : (
        <>
          <header className="tile-header">
            <strong className="tile-name">{camera.number !== null && <span className="number">{camera.number}</span>} {camera.name}</strong>
            <span className="tile-commune">{camera.commune.name}</span>
            {state?.kind === "live" && state.skipped > 0 && (
              <span className="tile-skipped" data-testid="tile-skipped" data-skipped={state.skipped}>{fr.wall.skipped(state.skipped)}</span>
            )}
            <span className="tile-age" ref={age} data-testid="tile-age" />
          </header>
          <div className="picture">
            <LiveVideo live={props.live} name={props.name} label={camera.name} />
            {state && <TileNotice state={state} camera={camera} onAgain={props.onAgain} />}
            <div className="tile-actions">
              <button type="button" tabIndex={-1} onClick={props.onOpen} aria-label={fr.wall.open} title={fr.wall.open} data-testid="tile-open">⤢</button>
              <button type="button" tabIndex={-1} onClick={props.onClear} aria-label={fr.wall.clear} title={fr.wall.clear}>×</button>
            </div>
          </div>
        </>
      )}
    </section>
  );
}

/** A free tile has no state; without the shift's reason nothing is asked of the centre. */
export function useTileState(taken: boolean, tile: Tile | null): TileState | null {
  const { session } = useDesk();
  if (!taken) return null;
  if (session.shift_motif !== null) return tile?.state ?? IDLE;
  return NO_MOTIF;
}

const IDLE: TileState = { kind: "idle" };
const NO_MOTIF: TileState = { kind: "refused", code: "MOTIF_REQUIRED", reason: fr.wall.noMotif, cut: false };

/** The <video> of one tile, handed to the live session while it is on the screen. */
export function LiveVideo(props: { live: LiveSession; name: string; label: string }): ReactNode {
  const { live, name } = props;
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => (video.current === null ? undefined : live.attach(name, video.current)), [live, name]);
  return <video ref={video} className="video" muted playsInline aria-label={props.label} data-testid="live-video" />;
}

/** What covers or crosses the picture when it is not simply live. */
export function TileNotice(props: { state: TileState; camera: Camera; onAgain: () => void }): ReactNode {
  const { state, camera } = props;
  const fault = camera.state === "lost" || camera.state === "forbidden" ? camera.fault_reason : null;
  switch (state.kind) {
    case "idle": case "asking":
      return <p className="tile-cover" role="status">{fr.wall.asking}</p>;
    case "opening":
      return <p className="tile-cover" role="status">{fr.wall.opening}{fault && <small>{fault}</small>}</p>;
    case "refused":
      return <TileRefusal state={state} camera={camera} onAgain={props.onAgain} />;
    case "waiting":
      return (
        <div className="tile-strip" role="status">
          <strong>{fr.wall.waiting}</strong> <span>{state.reason}{fault && ` · ${fault}`}</span>
        </div>
      );
    case "live":
      return state.lost && (
        <div className="tile-strip tile-lost" role="status" data-testid="tile-lost">
          <strong>{fr.wall.lost}</strong> <span>{state.lost.reason || fault || state.lost.fault}</span>{" "}
          {camera.interruption && <span>{announcement(camera.interruption)}.</span>}
        </div>
      );
  }
}

/** The inventory is asked for every few seconds: before that it may be of before the refusal. */
const INVENTORY_IS_NEWER_MS = 12_000;

function TileRefusal(props: { state: Extract<TileState, { kind: "refused" }>; camera: Camera; onAgain: () => void }): ReactNode {
  const { state, camera } = props;
  const [since] = useState(() => Date.now());
  // The reason that is shown is then no longer true.
  const isBack = camera.live.allowed && OF_RIGHTS.has(state.code) && Date.now() - since > INVENTORY_IS_NEWER_MS;
  if (state === NO_MOTIF) return <p className="tile-cover" data-testid="tile-refused" data-code={state.code}>{state.reason}</p>;
  return (
    <div className={isBack ? "tile-cover tile-restored" : "tile-cover tile-refused"} role="status" data-testid="tile-refused" data-code={state.code}>
      <strong>{isBack ? fr.wall.restored : state.cut ? fr.wall.cut : fr.wall.refused}</strong>
      <span>{isBack ? fr.wall.restoredReason : state.reason}</span>
      {!isBack && <small className="advice">{fr.advice(state.code)}</small>}
      {!isBack && <code>{state.code}</code>}
      <button type="button" onClick={props.onAgain}>{fr.wall.again} <kbd>R</kbd></button>
    </div>
  );
}

/** Writes the picture's age and the tile's phase straight into the page: sixteen tiles, five times a second. */
export function useAge(
  live: LiveSession, name: string, state: TileState | null,
  element: { current: HTMLElement | null }, age: { current: HTMLElement | null },
): void {
  const { now } = useDesk();
  const newest = useRef(state);
  newest.current = state;
  useEffect(() => {
    const write = (): void => {
      const shownAt = live.shownAt(name);
      const age_ms = shownAt === null ? null : now() - shownAt;
      const phase = phaseOf(newest.current, age_ms);
      const target = element.current;
      if (target === null) return;
      target.dataset["state"] = phase;
      target.dataset["ageMs"] = age_ms === null ? "" : String(Math.round(age_ms));
      const text = age_ms === null ? "—" : phase === "stale" ? `${fr.wall.stale} · ${ageText(age_ms)}` : ageText(age_ms);
      if (age.current && age.current.textContent !== text) age.current.textContent = text;
    };
    write();
    const timer = window.setInterval(write, AGE_PERIOD_MS);
    return () => window.clearInterval(timer);
  }, [live, name, now, element, age]);
}
