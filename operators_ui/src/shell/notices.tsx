import { useCallback, useEffect, useState, type ReactNode } from "react";
import { proposals as proposalsBody, type Alarm } from "../api/types";
import { usePolled } from "../lib/poll";
import { clock, dayAndClock } from "../lib/time";
import type { Section } from "../recording/sections";
import { fr } from "../strings";
import { firstToConfirm, notices, sessionEndsSoon } from "./banner";
import { useDesk } from "./context";
import { viewsOf } from "./views";

const MAY_RELEASE = new Set(["supervisor", "administrator"]);

const PROPOSALS_PERIOD_MS = 10_000;
const SESSION_END_PERIOD_MS = 5_000;

interface Props {
  readonly alarms: readonly Alarm[];
  readonly onOpen: (section: Section) => void;
}

/** Under the top bar while something of the recorder is suspended or given up, or waits for this person's decision. */
export function Notices(props: Props): ReactNode {
  const { role } = useDesk().session.account;
  return (
    <div role="status" className="banners">
      {notices(props.alarms, MAY_RELEASE.has(role)).map((notice) => (
        <div key={notice.code} className="notice notice-warning" data-testid="banner" data-code={notice.code}>
          <p><strong>{notice.message}</strong> {fr.banner.since} {dayAndClock(notice.since)}. {notice.effect} {notice.who}</p>
          {viewsOf(role).includes("recording") && (
            <button type="button" onClick={() => props.onOpen("storage")} data-testid="banner-open">{fr.banner.open}</button>
          )}
        </div>
      ))}
      {MAY_RELEASE.has(role) && <ToConfirm {...props} />}
      <SessionEnd />
    </div>
  );
}

function SessionEnd(): ReactNode {
  const { session, now } = useDesk();
  const [at, setAt] = useState(now);
  useEffect(() => {
    const timer = window.setInterval(() => setAt(now()), SESSION_END_PERIOD_MS);
    return () => window.clearInterval(timer);
  }, [now]);
  if (!sessionEndsSoon(session.ends_at, at)) return null;
  return <div className="notice notice-warning" data-testid="session-end"><p>{fr.banner.sessionEnd(clock(session.ends_at))}</p></div>;
}

/** A proposal falls within thirty minutes: whoever may confirm it has to hear of it wherever they are. */
function ToConfirm({ onOpen }: Props): ReactNode {
  const { api, hints } = useDesk();
  const { value, poke } = usePolled(useCallback(() => api.get("/api/proposals", proposalsBody), [api]), PROPOSALS_PERIOD_MS);
  useEffect(() => hints.on("proposals", poke), [hints, poke]);
  useEffect(() => hints.on("cameras", poke), [hints, poke]); // a mask that is taken back
  const first = firstToConfirm(value ?? []);
  if (first === null) return null;
  return (
    <div className="notice notice-warning" data-testid="to-confirm" data-count={first.count}>
      <p><strong>{fr.banner.toConfirm(first.count)}</strong> {first.decision !== null && fr.banner.toConfirmWhat(fr.recording.waiting.decisions(first.decision), first.camera)} {fr.banner.toConfirmOf(first.who, clock(first.until))}</p>
      <button type="button" onClick={() => onOpen("waiting")} data-testid="to-confirm-open">{fr.banner.open}</button>
    </div>
  );
}
