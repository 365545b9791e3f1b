/** What a tile says about itself, from its live state and the age of its picture. Pure. */

import type { TileState } from "../live/session-state";

export type Phase = "empty" | "opening" | "live" | "stale" | "lost" | "refused" | "waiting";

export const STALE_AFTER_MS = 3_000;

/** `age_ms` is null while no picture has been shown. */
export function phaseOf(state: TileState | null, age_ms: number | null): Phase {
  switch (state?.kind) {
    case undefined: return "empty";
    // An old picture stays, greyed, until the new one is there.
    case "idle": case "asking": case "opening": return age_ms === null ? "opening" : "waiting";
    case "refused": return "refused";
    case "waiting": return "waiting";
    case "live":
      if (state.lost !== null) return "lost";
      if (age_ms === null) return "opening";
      return age_ms > STALE_AFTER_MS ? "stale" : "live";
  }
}
