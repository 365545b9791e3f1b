/** The journal for those who control it: entries, who watched, figures, what to look at first, proofs. No picture. */

import { useState, type ReactNode } from "react";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { Anomalies } from "./anomalies";
import { Entries } from "./entries";
import { Looks, type Asking } from "./looks";
import { useScope } from "./period-form";
import { Proofs } from "./proofs";
import { lastDays, NOBODY } from "./query";
import { Statistics } from "./statistics";

const SECTIONS = ["entries", "looks", "statistics", "anomalies", "proofs"] as const;
type Section = (typeof SECTIONS)[number];

export function JournalView(): ReactNode {
  const { now } = useDesk();
  const scope = useScope();
  const [section, setSection] = useState<Section>("entries");
  const [asking, setAsking] = useState<Asking>(() => ({ period: lastDays(now(), 1), subject: NOBODY }));
  const seeLooks = (next: Asking): void => {
    setAsking(next);
    setSection("looks");
  };
  return (
    <div className="table-page sections" data-testid="journal">
      <nav className="segmented" aria-label={fr.journal.sections}>
        {SECTIONS.map((one) => (
          <button key={one} type="button" aria-pressed={one === section} onClick={() => setSection(one)} data-testid={`section-${one}`}>
            {fr.journal.section[one]}
          </button>
        ))}
      </nav>
      <header><h1>{fr.journal.titles[section]}</h1></header>
      {section === "entries" && <Entries scope={scope} />}
      {section === "looks" && <Looks scope={scope} asking={asking} onAsk={setAsking} />}
      {section === "statistics" && <Statistics scope={scope} asking={asking} onAsk={setAsking} onLooks={seeLooks} />}
      {section === "anomalies" && <Anomalies scope={scope} asking={asking} onAsk={setAsking} onLooks={seeLooks} />}
      {section === "proofs" && <Proofs />}
    </div>
  );
}
