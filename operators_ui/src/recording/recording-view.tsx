/** What the recorder keeps: its storage, the interruptions announced to it, and what requisitions hold. */

import { useState, type ReactNode } from "react";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { Holds } from "./holds";
import { Interruptions } from "./interruptions";
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
      {section === "waiting" && <Waiting onSection={setSection} />}
    </div>
  );
}
