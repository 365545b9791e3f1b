import { useEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { useKeys } from "../lib/keys";
import { Store, useStore } from "../lib/store";
import { clock, dayAndClock, day, duration, exactClock, preciseClock } from "../lib/time";
import { Problem } from "../shell/parts";
import { fr } from "../strings";
import { clips } from "./plan";
import type { ReplayState } from "./replay-controller";
import { RATES, ReplayPlayer, type ReplayShown } from "./replay-player";

type Shown = Exclude<ReplayState, { kind: "live" | "motif" }>;

export interface ReplayStageProps {
  readonly state: Shown;
  readonly onInstant: (at: number | null) => void;
  readonly onPlayer: (player: ReplayPlayer | null) => void;
  readonly onFollow: (from: number) => void;
  readonly onRetry: () => void;
  readonly onLive: () => void;
}

/** The replay's picture, with the instant at which it was taken always beside it. */
export function ReplayStage(props: ReplayStageProps): ReactNode {
  const { state } = props;
  if (state.kind === "playing") return <Playing key={state.url} {...props} state={state} />;
  return (
    <section className="stage tile" data-testid="replay" data-state={state.kind === "preparing" ? "opening" : "refused"}>
      <header className="tile-header"><strong className="mode mode-replay">{fr.camera.replay}</strong></header>
      <div className="picture">
        <div className="tile-cover" role="status">
          {state.kind === "preparing" ? fr.camera.preparing : <Problem problem={state.problem} onRetry={props.onRetry} />}
        </div>
      </div>
    </section>
  );
}

const NOTHING = new Store<ReplayShown>({ instant: null, playing: false, rate: 1, gap: null, ended: false, failed: false });

function Playing(props: ReplayStageProps & { state: Extract<Shown, { kind: "playing" }> }): ReactNode {
  const { state, onInstant, onPlayer } = props;
  const video = useRef<HTMLVideoElement>(null);
  const stage = useFocus();
  const [player, setPlayer] = useState<ReplayPlayer | null>(null);
  useEffect(() => {
    if (video.current === null) return;
    const mine = new ReplayPlayer(video.current, state.playback.plan, state.steps, state.url, state.interval.from);
    setPlayer(mine);
    onPlayer(mine);
    return () => {
      mine.dispose();
      onPlayer(null);
    };
  }, [state.playback, state.steps, state.url, state.interval.from, onPlayer]);
  const shown = useStore((player?.shown ?? NOTHING));
  useEffect(() => onInstant(shown.instant), [onInstant, shown.instant]);
  usePlaybackKeys(player);
  const phase = shown.failed ? "failed" : shown.gap ? "gap" : shown.ended ? "ended" : shown.instant === null ? "opening" : "replay";
  return (
    <section
      ref={stage} tabIndex={-1} className="stage tile" data-testid="replay" data-state={phase} data-playing={shown.playing}
      data-instant={shown.instant === null ? "" : new Date(shown.instant).toISOString()}
    >
      <header className="tile-header">
        <strong className="mode mode-replay">{fr.camera.replay}</strong>
        <span className="instant" data-testid="replay-instant">
          {shown.instant === null ? "—" : <>{day(shown.instant)} <b>{shown.playing ? preciseClock(shown.instant) : exactClock(shown.instant)}</b></>}
        </span>
        <span className="quiet">{clock(state.interval.from)} – {clock(state.interval.to)}</span>
      </header>
      <div className="picture">
        <video ref={video} className="video" muted playsInline crossOrigin="use-credentials" data-testid="replay-video" aria-label={fr.camera.replay} />
        <ReplayNotice {...props} shown={shown} empty={clips(state.playback.plan).length === 0} />
      </div>
      {player && <Controls player={player} shown={shown} />}
    </section>
  );
}

/**
 * A replay takes the keyboard, from the button that asked for it too: else Space, which plays and pauses, would press
 * that button again. Who is on the timeline or types an hour there stays there.
 */
function useFocus(): RefObject<HTMLElement | null> {
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    const at = document.activeElement;
    if (at instanceof HTMLButtonElement || !at?.closest(".timeline")) element.current?.focus();
  }, []);
  return element;
}

function ReplayNotice(props: ReplayStageProps & { shown: ReplayShown; empty: boolean }): ReactNode {
  const { shown, state } = props;
  if (shown.failed) {
    return (
      <div className="tile-cover" role="alert">
        <Problem problem={{ kind: "failed", reason: fr.camera.mediaError }} onRetry={props.onRetry} />
      </div>
    );
  }
  return (
    <>
      {shown.gap && (
        <div className="gap-card" role="status" data-testid="gap-card" data-cause={shown.gap.cause}>
          <strong>{fr.camera.gap}</strong>
          <span>
            {dayAndClock(shown.gap.from)} – {clock(shown.gap.to)} ({duration(shown.gap.to - shown.gap.from)})
          </span>
          <span>{fr.cause(shown.gap.cause)}{shown.gap.reason && ` : ${shown.gap.reason}`}</span>
        </div>
      )}
      {shown.ended && (
        <div className="tile-strip" role="status" data-testid="replay-ended">
          <strong>{props.empty ? fr.camera.nothing : fr.camera.ended}</strong>{" "}
          <button type="button" onClick={() => props.onFollow(state.interval.to)} data-testid="replay-follow">{fr.camera.follow}</button>{" "}
          <button type="button" onClick={props.onLive}>{fr.camera.backToLive}</button>
        </div>
      )}
    </>
  );
}

function Controls(props: { player: ReplayPlayer; shown: ReplayShown }): ReactNode {
  const { player, shown } = props;
  return (
    <div className="controls">
      <button type="button" onClick={() => player.frame(-1)} aria-label={fr.camera.previousFrame} title={fr.camera.previousFrame} data-testid="frame-back">‹ <kbd>,</kbd></button>
      <button type="button" className="primary" onClick={() => player.toggle()} data-testid="play-pause">
        {shown.playing ? fr.camera.pause : fr.camera.play} <kbd>{fr.camera.space}</kbd>
      </button>
      <button type="button" onClick={() => player.frame(1)} aria-label={fr.camera.nextFrame} title={fr.camera.nextFrame} data-testid="frame-next">› <kbd>;</kbd></button>
      <div className="segmented" role="group" aria-label={fr.camera.speed}>
        {RATES.map((rate) => (
          <button key={rate} type="button" aria-pressed={rate === shown.rate} onClick={() => player.setRate(rate)} data-testid={`rate-${rate}`}>
            ×{String(rate).replace(".", ",")}
          </button>
        ))}
      </div>
    </div>
  );
}

const SKIP_S = 5;

function usePlaybackKeys(player: ReplayPlayer | null): void {
  useKeys((event) => {
    if (player === null || (event.target instanceof HTMLButtonElement && event.key === " ")) return false;
    if (event.key === " ") player.toggle();
    else if (event.key === ",") player.frame(-1);
    else if (event.key === ";" || event.key === ".") player.frame(1);
    else if (event.key === "ArrowLeft") player.skip(-SKIP_S);
    else if (event.key === "ArrowRight") player.skip(SKIP_S);
    else return false;
    return true;
  });
}
