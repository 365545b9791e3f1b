/** Runs, gaps and announced interruptions as one list, newest first: what the table shows. Pure. */

import type { Timeline } from "../api/types";
import type { Window } from "./scale";

export interface Row {
  readonly kind: "run" | "gap" | "announced";
  readonly from: number;
  readonly to: number;
  readonly cause: string | null;
  readonly reason: string | null;
}

export function rows(data: Timeline, window: Window): Row[] {
  const runs = data.runs.map((run): Row => ({ kind: "run", ...run, cause: null, reason: null }));
  const gaps = data.gaps.map((gap): Row => ({ kind: "gap", ...gap }));
  const announced = data.interruptions.map((one): Row => ({ kind: "announced", ...one, reason: null }));
  return [...runs, ...gaps, ...announced]
    .filter((row) => row.to > window.from && row.from < window.to)
    .sort((a, b) => b.from - a.from);
}
