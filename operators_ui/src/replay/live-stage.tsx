import { useEffect, useRef, type ReactNode } from "react";
import type { Camera } from "../api/types";
import { useStore } from "../lib/store";
import type { LiveSession } from "../live/live-session";
import { fr } from "../strings";
import { LiveVideo, TileNotice, useAge, useTileState } from "../wall/tile-view";

export const TILE = "camera";
const INSTANT_PERIOD_MS = 500;

/** The live picture of the open camera, large. */
export function LiveStage(props: { live: LiveSession; camera: Camera; onInstant: (at: number | null) => void }): ReactNode {
  const { live, camera, onInstant } = props;
  const tile = useStore(live.state).tiles.find((one) => one.wanted.tile === TILE) ?? null;
  const state = useTileState(true, tile) ?? { kind: "idle" as const };
  const element = useRef<HTMLElement>(null);
  const age = useRef<HTMLSpanElement>(null);
  useAge(live, TILE, state, element, age);
  useEffect(() => {
    const timer = window.setInterval(() => onInstant(live.shownAt(TILE)), INSTANT_PERIOD_MS);
    return () => window.clearInterval(timer);
  }, [live, onInstant]);
  return (
    <section ref={element} className="stage tile" data-testid="camera-live" data-camera={camera.id} aria-label={`${fr.camera.live}, ${camera.name}`}>
      <header className="tile-header">
        <strong className="mode mode-live">{fr.camera.live}</strong>
        {state.kind === "live" && state.skipped > 0 && <span className="tile-skipped" data-skipped={state.skipped}>{fr.wall.skipped(state.skipped)}</span>}
        <span className="tile-age" ref={age} data-testid="tile-age" />
      </header>
      <div className="picture">
        <LiveVideo live={live} name={TILE} label={camera.name} />
        <TileNotice state={state} camera={camera} onAgain={() => live.again([TILE])} />
      </div>
    </section>
  );
}
