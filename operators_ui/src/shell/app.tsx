/** The post's states, each with its screen. */

import type { ReactNode } from "react";
import { useStore } from "../lib/store";
import { LockScreen } from "../session/lock-screen";
import { LoginScreen } from "../session/login-screen";
import type { SessionController } from "../session/session-controller";
import { fr } from "../strings";
import { Console } from "./console";

export function App({ controller }: { controller: SessionController }): ReactNode {
  const state = useStore(controller.state);
  switch (state.kind) {
    case "starting":
      return <main className="centred quiet" role="status">{fr.shell.starting}</main>;
    case "unreachable":
      return (
        <main className="centred">
          <div className="notice notice-error" role="alert" data-testid="unreachable">
            <span>{state.reason} {fr.failure.retrying}</span>
            <button type="button" onClick={() => void controller.start()}>{fr.failure.retry}</button>
          </div>
        </main>
      );
    case "leaving":
      return <main className="centred quiet" role="status">{fr.shell.leaving}</main>;
    case "login":
      return <LoginScreen controller={controller} notice={state.notice} />;
    case "locked":
      return <LockScreen controller={controller} session={state.session} confirmed={state.confirmed} />;
    case "open":
      return <Console key={state.session.account.id} controller={controller} session={state.session} />;
  }
}
