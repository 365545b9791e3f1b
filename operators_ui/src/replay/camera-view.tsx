/** One camera: its live picture or a replay, over its timeline. */

import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { timeline as timelineBody, type Camera } from "../api/types";
import { announcement } from "../lib/announcement";
import { useKeys } from "../lib/keys";
import { useStore } from "../lib/store";
import { MINUTE_MS } from "../lib/time";
import type { LiveSession } from "../live/live-session";
import { useDesk } from "../shell/context";
import { Badge } from "../shell/parts";
import { fr } from "../strings";
import { TimelineView } from "../timeline/timeline-view";
import { MotifBanner } from "../wall/motif-banner";
import { intervalFrom, nextRecorded, resumed } from "./interval";
import { LiveStage, TILE } from "./live-stage";
import { MotifDialog } from "./motif-dialog";
import { ReplayController } from "./replay-controller";
import type { ReplayPlayer } from "./replay-player";
import { ReplayStage } from "./replay-stage";

const LEASE_CHECK_MS = 3_000;

export interface CameraProps {
  readonly cameras: readonly Camera[];
  readonly live: LiveSession;
  readonly id: string;
  readonly onBack: () => void;
}

export function CameraView(props: CameraProps): ReactNode {
  const camera = props.cameras.find((one) => one.id === props.id);
  useKeys((event) => {
    if (event.key !== "Escape") return false;
    props.onBack();
    return true;
  });
  if (camera === undefined) {
    return (
      <div className="centred">
        <div className="notice notice-error" role="alert">
          <span>{fr.camera.gone}</span>
          <button type="button" onClick={props.onBack}>{fr.camera.back}</button>
        </div>
      </div>
    );
  }
  return <OpenCamera {...props} camera={camera} />;
}

function OpenCamera(props: CameraProps & { camera: Camera }): ReactNode {
  const { camera, live } = props;
  const { api, session, now } = useDesk();
  const hasMotif = session.shift_motif !== null;
  const controller = useMemo(
    () => new ReplayController(api, (url, init) => window.fetch(url, init), session.gateway_origin, camera.id),
    [api, session.gateway_origin, camera.id],
  );
  useEffect(() => () => controller.dispose(), [controller]);
  useLeaseChecks(controller);
  const state = useStore(controller.state);
  const [player, setPlayer] = useState<ReplayPlayer | null>(null);
  const [instant, setInstant] = useState<number | null>(null);
  const isLive = state.kind === "live" || state.kind === "motif";
  useLivePicture(live, camera, isLive && hasMotif);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // On opening, and back from a replay whose buttons are gone: the keyboard goes on from here.
    if (isLive && document.activeElement === document.body) heading.current?.focus();
  }, [isLive]);

  const replayFrom = (at: number): void => {
    if (state.kind === "playing" && player && at >= state.interval.from && at < state.interval.to) return player.seek(at);
    const interval = intervalFrom(at, now());
    if (interval !== null) void controller.want(interval);
  };
  const follow = async (from: number): Promise<void> => {
    const query = `from=${new Date(from).toISOString()}&to=${new Date(now()).toISOString()}`;
    const answer = await api.get(`/api/cameras/${camera.id}/timeline?${query}`, timelineBody);
    replayFrom((answer.kind === "ok" ? nextRecorded(answer.value.runs, from) : null) ?? from);
  };
  const minuteBack = (): void => replayFrom((state.kind === "playing" ? (instant ?? now()) : now()) - MINUTE_MS);
  useKeys((event) => {
    const key = event.key.toLowerCase();
    if (key === "m") minuteBack();
    else if (key === "d") controller.backToLive();
    else if (key === "r" && isLive) live.again([TILE]);
    else return false;
    return true;
  });

  return (
    <div className="camera" data-testid="camera-view" data-camera={camera.id} data-mode={state.kind}>
      <div className="camera-bar">
        <button type="button" onClick={props.onBack} data-testid="camera-back">‹ {fr.camera.back} <kbd>Échap</kbd></button>
        <h1 ref={heading} tabIndex={-1}>{camera.number !== null && <span className="number">{camera.number}</span>} {camera.name}</h1>
        <span className="quiet">{camera.commune.name}{camera.site && ` · ${camera.site}`}</span>
        {camera.interruption && <Badge tone="warning">{announcement(camera.interruption)}</Badge>}
        <span className="spacer" />
        <button type="button" onClick={minuteBack} data-testid="minute-back">{fr.camera.minute} <kbd>M</kbd></button>
        <button type="button" onClick={() => controller.backToLive()} disabled={state.kind === "live"} data-testid="back-to-live">
          {fr.camera.backToLive} <kbd>D</kbd>
        </button>
      </div>
      {isLive && <MotifBanner />}
      {isLive
        ? <LiveStage live={live} camera={camera} onInstant={setInstant} />
        : <ReplayStage
            state={state} onInstant={setInstant} onPlayer={setPlayer} onFollow={(from) => void follow(from)}
            onRetry={() => void controller.want(resumed(state.interval, instant))} onLive={() => controller.backToLive()}
          />}
      <TimelineView
        camera={camera.id} shown={instant} interval={state.kind === "live" ? null : state.interval} onPick={replayFrom}
      />
      {state.kind === "motif" && (
        <MotifDialog
          camera={camera.name} interval={state.interval} problem={state.problem} given={state.given}
          onGive={(motif) => void controller.give(motif)} onCancel={() => controller.backToLive()}
        />
      )}
    </div>
  );
}

function useLeaseChecks(controller: ReplayController): void {
  const { hints } = useDesk();
  useEffect(() => {
    const tell = (): void => void controller.tell();
    const check = (): void => {
      tell();
      void controller.check();
    };
    const timer = window.setInterval(check, LEASE_CHECK_MS);
    const forget = hints.on("session", check);
    window.addEventListener("pagehide", tell);
    return () => {
      window.removeEventListener("pagehide", tell);
      window.clearInterval(timer);
      forget();
    };
  }, [controller, hints]);
}

/** The live lease is held only while its picture is on the screen. */
function useLivePicture(live: LiveSession, camera: Camera, isLive: boolean): void {
  const stream = "main";
  useEffect(() => {
    live.want(isLive ? [{ tile: TILE, camera: camera.id, stream, refusal: null }] : []);
  }, [live, camera.id, isLive]);
  useEffect(() => () => live.want([]), [live]);
}
