import { useEffect, useState, type ReactNode } from "react";
import { clock, longDay } from "../lib/time";
import { fr } from "../strings";
import { AlarmsBar, type PolledAlarms } from "./alarms";
import { useDesk } from "./context";
import type { View } from "./views";

export interface TopBarProps {
  readonly views: readonly View[];
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly alarms: PolledAlarms;
  readonly alarmsOpen: boolean;
  readonly onAlarms: () => void;
  readonly onLock: () => void;
  readonly onLogout: () => void;
  readonly onHelp: () => void;
  readonly onPassword: () => void;
}

export function TopBar(props: TopBarProps): ReactNode {
  const { session, chooseShift } = useDesk();
  const { account, shift_motif: shift } = session;
  return (
    <header className="top-bar">
      <div className="identity">
        <strong data-testid="centre">{session.centre}</strong>
        <LocalTime />
      </div>
      <nav aria-label={fr.shell.nav}>
        {props.views.map((view) => (
          <button
            key={view} type="button" aria-current={view === props.view ? "page" : undefined} data-testid={`nav-${view}`}
            onClick={() => props.onView(view)}
          >
            {fr.shell.views[view]}
          </button>
        ))}
      </nav>
      <AlarmsBar polled={props.alarms} open={props.alarmsOpen} onToggle={props.onAlarms} />
      <button
        type="button" className="agent" data-testid="agent" data-role={account.role} onClick={props.onPassword}
        title={`${account.name} (${fr.password.title.toLowerCase()})`}
      >
        <strong>{account.name}</strong>
        <span>
          {fr.role(account.role)}
          {account.commune && ` · ${account.commune.name}`}
        </span>
      </button>
      {props.views.includes("wall") && (
        <button type="button" className="shift" onClick={chooseShift} data-testid="shift" title={shift === null ? fr.shell.changeShift : `${shift.label} (${fr.shell.changeShift.toLowerCase()})`}>
          <span>{fr.shell.shift}</span>
          <strong>{shift?.label ?? fr.shell.noShift}</strong>
        </button>
      )}
      <div className="post">
        <button type="button" onClick={props.onHelp} aria-label={fr.shell.help} title={fr.shell.help} data-testid="help">?</button>
        <button type="button" onClick={props.onLock} aria-keyshortcuts="l" data-testid="lock">
          {fr.lock.action} <kbd>L</kbd>
        </button>
        <button type="button" onClick={props.onLogout} data-testid="logout">{fr.shell.logout}</button>
      </div>
    </header>
  );
}

function LocalTime(): ReactNode {
  const { now } = useDesk();
  const [at, setAt] = useState(now);
  useEffect(() => {
    const timer = window.setInterval(() => setAt(now()), 250);
    return () => window.clearInterval(timer);
  }, [now]);
  return (
    <time className="clock" dateTime={new Date(at).toISOString()} data-testid="local-time">
      <b>{clock(at)}</b> <span>{longDay(at)}</span>
    </time>
  );
}
