/** Runs and gaps as one list, newest first: what the table shows. Pure. */

import type { Timeline } from "../api/types";
import type { Window } from "./scale";

export interface Row {
  readonly kind: "run" | "gap";
  readonly from: number;
  readonly to: number;
  readonly cause: string | null;
  readonly reason: string | null;
}

export function rows(data: Timeline, window: Window): Row[] {
  const runs = data.runs.map((run): Row => ({ kind: "run", ...run, cause: null, reason: null }));
  const gaps = data.gaps.map((gap): Row => ({ kind: "gap", ...gap }));
  return [...runs, ...gaps]
    .filter((row) => row.to > window.from && row.from < window.to)
    .sort((a, b) => b.from - a.from);
}
