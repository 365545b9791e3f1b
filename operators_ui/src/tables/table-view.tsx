/** The views without pictures. */

import type { ReactNode } from "react";
import { JournalView } from "../journal/journal-view";
import { RecordingView } from "../recording/recording-view";
import type { View } from "../shell/views";
import { Statements } from "../statements/statements-view";
import { Accounts } from "./accounts";
import { Cameras } from "./cameras";
import { Persons } from "./persons";
import { Territory } from "./territory";
import { Watching } from "./watching";

export function TableView(props: { view: Exclude<View, "wall"> }): ReactNode {
  switch (props.view) {
    case "journal": return <JournalView />;
    case "watching": return <Watching />;
    case "cameras": return <Cameras />;
    case "persons": return <Persons />;
    case "territory": return <Territory />;
    case "statements": return <Statements />;
    case "accounts": return <Accounts />;
    case "recording": return <RecordingView />;
  }
}
