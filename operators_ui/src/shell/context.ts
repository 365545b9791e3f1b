/** What every view of an open session may use. */

import { createContext, useContext } from "react";
import type { Api } from "../api/client";
import type { Session } from "../api/types";
import type { Hints } from "../lib/hints";

export interface Desk {
  readonly api: Api;
  readonly session: Session;
  readonly hints: Hints;
  /** Let the person choose the shift's reason, without which no live picture opens. */
  readonly chooseShift: () => void;
  /** The centre's clock, milliseconds UTC. */
  readonly now: () => number;
}

export const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (desk === null) throw new Error("used outside an open session");
  return desk;
}
