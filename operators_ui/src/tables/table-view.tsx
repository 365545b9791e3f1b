/** The views without pictures. */

import type { ReactNode } from "react";
import { JournalView } from "../journal/journal-view";
import { Security } from "../journal/security";
import { PersonsView } from "../persons/persons-view";
import { RecordingView } from "../recording/recording-view";
import type { Section } from "../recording/sections";
import type { View } from "../shell/views";
import { Statements } from "../statements/statements-view";
import { TerritoryView } from "../territory/territory-view";
import { Accounts } from "./accounts";
import { Cameras } from "./cameras";
import { Watching } from "./watching";

export function TableView(props: { view: Exclude<View, "wall">; section: Section | null }): ReactNode {
  switch (props.view) {
    case "journal": return <JournalView />;
    case "watching": return <Watching />;
    case "cameras": return <Cameras />;
    case "persons": return <PersonsView />;
    case "territory": return <TerritoryView />;
    case "statements": return <Statements />;
    case "accounts": return <Accounts />;
    case "recording": return <RecordingView first={props.section} />;
    case "security": return <Security />;
  }
}
