/** Everything with pictures: the inventory, the live session, and either the wall or one camera. */

import { useCallback, useEffect, useState, type ReactNode } from "react";
import { cameras as camerasBody, type Camera } from "../api/types";
import { LiveSession } from "../live/live-session";
import { usePolled } from "../lib/poll";
import { CameraView } from "../replay/camera-view";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import { WallView } from "./wall-view";

const CAMERAS_PERIOD_MS = 5_000;

export function Pictures(): ReactNode {
  const { api, hints, session } = useDesk();
  const { value, problem, poke } = usePolled(
    useCallback(() => api.get("/api/cameras", camerasBody), [api]),
    CAMERAS_PERIOD_MS,
  );
  useEffect(() => hints.on("cameras", poke), [hints, poke]);
  useEffect(() => hints.on("session", poke), [hints, poke]);
  const live = useLiveSession(session.gateway_origin);
  const motif = session.shift_motif?.code;
  useEffect(() => live?.again(null), [live, motif]);
  return (
    <Loaded value={value} problem={problem} onRetry={poke}>
      {(cameras) => live && <WallOrCamera cameras={cameras} live={live} />}
    </Loaded>
  );
}

function useLiveSession(gatewayOrigin: string): LiveSession | null {
  const { api } = useDesk();
  const [live, setLive] = useState<LiveSession | null>(null);
  useEffect(() => {
    const mine = new LiveSession(api, gatewayOrigin);
    setLive(mine);
    return () => mine.dispose();
  }, [api, gatewayOrigin]);
  return live;
}

function WallOrCamera(props: { cameras: readonly Camera[]; live: LiveSession }): ReactNode {
  const [open, setOpen] = useState<string | null>(null);
  if (open === null) return <WallView {...props} onOpen={setOpen} />;
  return <CameraView key={open} {...props} id={open} onBack={() => setOpen(null)} />;
}
