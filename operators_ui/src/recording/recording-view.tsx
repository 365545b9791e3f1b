/** What the recorder keeps and how long: storage, announced interruptions, holds, retentions, legal bases of analysis, and what
 * waits for a second person. */

import { useState, type ReactNode } from "react";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { Bases } from "./bases";
import { Holds } from "./holds";
import { Interruptions } from "./interruptions";
import { Retentions } from "./retentions";
import { sectionsOf, type Section } from "./sections";
import { Storage } from "./storage";
import { Waiting } from "./waiting";

/** `first`: the part to begin with, where the person has it. */
export function RecordingView({ first }: { first: Section | null }): ReactNode {
  const { session } = useDesk();
  const sections = sectionsOf(session.account.role);
  const [section, setSection] = useState<Section>(sections.find((one) => one === first) ?? sections[0] ?? "storage");
  return (
    <div className="table-page sections">
      <nav className="segmented" aria-label={fr.recording.sections}>
        {sections.map((one) => (
          <button
            key={one} type="button" aria-pressed={one === section} onClick={() => setSection(one)} data-testid={`section-${one}`}
          >
            {fr.recording.section[one]}
          </button>
        ))}
      </nav>
      {section === "storage" && <Storage />}
      {section === "interruptions" && <Interruptions />}
      {section === "holds" && <Holds />}
      {section === "retentions" && <Retentions onWaiting={() => setSection("waiting")} />}
      {section === "bases" && <Bases onWaiting={() => setSection("waiting")} />}
      {section === "waiting" && <Waiting onSection={setSection} />}
    </div>
  );
}
