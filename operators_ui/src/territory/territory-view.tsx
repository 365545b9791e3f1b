/** Communes with their conventions, authorisations with their states and deadlines, and what is open to the State. */

import { useState, type ReactNode } from "react";
import { fr } from "../strings";
import { Territory } from "../tables/territory";
import { Deports } from "./deports";
import { Dossiers } from "./dossiers";

const SECTIONS = ["communes", "dossiers", "deports"] as const;

export function TerritoryView(): ReactNode {
  const [section, setSection] = useState<(typeof SECTIONS)[number]>("communes");
  return (
    <div className="table-page sections">
      <nav className="segmented" aria-label={fr.dossiers.sections}>
        {SECTIONS.map((one) => (
          <button key={one} type="button" aria-pressed={one === section} onClick={() => setSection(one)} data-testid={`section-${one}`}>{fr.dossiers.section[one]}</button>
        ))}
      </nav>
      {section === "communes" && <Territory />}
      {section === "dossiers" && <Dossiers />}
      {section === "deports" && <Deports />}
    </div>
  );
}
