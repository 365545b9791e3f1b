import type { ReactNode } from "react";
import type { Alarm } from "../api/types";
import { dayAndClock } from "../lib/time";
import { fr } from "../strings";
import { notices } from "./banner";
import { useDesk } from "./context";
import { viewsOf } from "./views";

const MAY_RELEASE = new Set(["supervisor", "administrator"]);

/** Under the top bar while something of the recorder is suspended or given up. */
export function Notices(props: { alarms: readonly Alarm[]; onOpen: () => void }): ReactNode {
  const { role } = useDesk().session.account;
  return (
    <div role="status" className="banners">
      {notices(props.alarms, MAY_RELEASE.has(role)).map((notice) => (
        <div key={notice.code} className="notice notice-warning" data-testid="banner" data-code={notice.code}>
          <p><strong>{notice.message}</strong> {fr.banner.since} {dayAndClock(notice.since)}. {notice.effect} {notice.who}</p>
          {viewsOf(role).includes("recording") && (
            <button type="button" onClick={props.onOpen} data-testid="banner-open">{fr.banner.open}</button>
          )}
        </div>
      ))}
    </div>
  );
}
