/** Communes with their conventions, and authorisations with their states and deadlines. */

import { useState, type ReactNode } from "react";
import { fr } from "../strings";
import { Territory } from "../tables/territory";
import { Dossiers } from "./dossiers";

const SECTIONS = ["communes", "dossiers"] as const;

export function TerritoryView(): ReactNode {
  const [section, setSection] = useState<(typeof SECTIONS)[number]>("communes");
  return (
    <div className="table-page sections">
      <nav className="segmented" aria-label={fr.dossiers.sections}>
        {SECTIONS.map((one) => (
          <button key={one} type="button" aria-pressed={one === section} onClick={() => setSection(one)} data-testid={`section-${one}`}>{fr.dossiers.section[one]}</button>
        ))}
      </nav>
      {section === "communes" ? <Territory /> : <Dossiers />}
    </div>
  );
}
