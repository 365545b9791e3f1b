/** Agents: what falls due, habilitations, agréments, yearly review and leavers, and the proof of a past habilitation. */

import { useCallback, useMemo, useState, type ReactNode } from "react";
import { journalScope, personsPage } from "../api/types";
import { useOffered } from "../lib/asked";
import { byName } from "../lib/names";
import { usePolled } from "../lib/poll";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import { fr } from "../strings";
import { Dues } from "./dues-table";
import { Habilitations } from "./habilitations";
import { Proof } from "./proof";
import { Register } from "./register";

const PERIOD_MS = 15_000;
const SECTIONS = ["habilitations", "dues", "register", "proof"] as const;
type Section = (typeof SECTIONS)[number];

export function PersonsView(): ReactNode {
  const { api } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/persons", personsPage), [api]), PERIOD_MS);
  const scope = useOffered("/api/journal/persons", journalScope);
  const names = useMemo(() => new Map(scope?.communes.map((one) => [one.insee, one.name])), [scope]);
  const persons = useMemo(() => byName(value?.persons ?? []), [value]);
  const [section, setSection] = useState<Section>("habilitations");
  return (
    <div className="table-page sections">
      <nav className="segmented" aria-label={fr.persons.sections}>
        {SECTIONS.map((one) => (
          <button key={one} type="button" aria-pressed={one === section} onClick={() => setSection(one)} data-testid={`section-${one}`}>{fr.persons.section[one]}</button>
        ))}
      </nav>
      <header><h1>{fr.persons.titles[section]}</h1></header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {({ inquiry_blocks }) => (
          <>
            {section === "habilitations" && <Habilitations persons={persons} names={names} onDone={poke} />}
            {section === "dues" && <Dues persons={persons} names={names} />}
            {section === "register" && <Register persons={persons} blocks={inquiry_blocks} names={names} onDone={poke} />}
            {section === "proof" && <Proof persons={persons} />}
          </>
        )}
      </Loaded>
    </div>
  );
}
