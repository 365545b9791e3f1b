/** An open session: top bar, one view at a time, and the keys that work everywhere. */

import { useEffect, useMemo, useState, type ReactNode } from "react";
import type { Session } from "../api/types";
import { Hints } from "../lib/hints";
import { useKeys } from "../lib/keys";
import type { SessionController } from "../session/session-controller";
import type { Section } from "../recording/sections";
import { fr } from "../strings";
import { Pictures } from "../wall/pictures";
import { useAlarms } from "./alarms";
import { DeskContext, type Desk } from "./context";
import { Notices } from "./notices";
import { PasswordDialog } from "../session/password-dialog";
import { ShiftDialog } from "../session/shift-dialog";
import { Dialog } from "./parts";
import { TableView } from "../tables/table-view";
import { TopBar } from "./top-bar";
import { viewsOf, type View } from "./views";

type Overlay = "none" | "alarms" | "help" | "shift" | "password";

export function Console(props: { controller: SessionController; session: Session }): ReactNode {
  const { controller, session } = props;
  const views = viewsOf(session.account.role);
  const [view, setView] = useState<View>(views[0] ?? "wall");
  const [section, setSection] = useState<Section | null>(null);
  const see = (next: View, part: Section | null = null): void => {
    setView(next);
    setSection(part);
  };
  const [overlay, setOverlay] = useState<Overlay>("none");
  const [hints] = useState(() => new Hints("/api/events"));
  useEffect(() => () => hints.close(), [hints]);
  useEffect(() => hints.on("session", () => void controller.refresh()), [hints, controller]);
  const desk = useMemo<Desk>(
    () => ({ api: controller.api, session, hints, now: controller.now, chooseShift: () => setOverlay("shift") }),
    [controller, session, hints],
  );
  const alarms = useAlarms(controller.api, hints);
  const toggle = (one: Overlay): void => setOverlay((now) => (now === one ? "none" : one));

  useKeys((event) => {
    const key = event.key.toLowerCase();
    if (key === "l") void controller.lock();
    else if (key === "?") setOverlay("help");
    else if (key === "a") toggle("alarms");
    else if (key === "escape" && overlay === "alarms") setOverlay("none");
    else return false;
    return true;
  });

  return (
    <DeskContext value={desk}>
      <a className="skip" href="#content">{fr.shell.skip}</a>
      <TopBar
        views={views} view={view} onView={see} alarms={alarms} alarmsOpen={overlay === "alarms"} onAlarms={() => toggle("alarms")}
        onLock={() => void controller.lock()} onLogout={() => void controller.logout()}
        onHelp={() => setOverlay("help")} onPassword={() => setOverlay("password")}
      />
      <Notices alarms={alarms.value ?? []} onOpen={(part) => see("recording", part)} />
      <main id="content" className={`view view-${view}`} tabIndex={-1}>
        {view === "wall" ? <Pictures /> : <TableView key={`${view} ${section}`} view={view} section={section} />}
      </main>
      {overlay === "help" && <Help onClose={() => setOverlay("none")} />}
      {overlay === "password" && <PasswordDialog controller={controller} onClose={() => setOverlay("none")} />}
      {overlay === "shift" && <ShiftDialog controller={controller} onClose={() => setOverlay("none")} />}
    </DeskContext>
  );
}

function Help(props: { onClose: () => void }): ReactNode {
  return (
    <Dialog title={fr.help.title} onClose={props.onClose} testid="help-dialog">
      <dl className="keys">
        {fr.help.keys.map(([key, meaning]) => (
          <div key={key}>
            <dt><kbd>{key}</kbd></dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div className="actions"><button type="button" className="primary" onClick={props.onClose}>{fr.help.close}</button></div>
    </Dialog>
  );
}
