/** Whether a dated legal fact is in force. Pure; instants are milliseconds UTC. */

import type { Dated } from "../api/types";
import { HOUR_MS } from "../lib/time";

export type Validity = "future" | "in-force" | "suspended" | "over";

export function validity(fact: Dated, now: number): Validity {
  if (fact.to !== null && fact.to <= now) return "over";
  if (fact.suspended_at !== null) return "suspended";
  return fact.from > now ? "future" : "in-force";
}

/** Whole days before the end; null without an end. */
export const daysLeft = (fact: Dated, now: number): number | null =>
  fact.to === null ? null : Math.floor((fact.to - now) / (24 * HOUR_MS));

/** An end that must be prepared: renewing a prefectoral authorisation takes months. */
export const NEAR_DAYS = 120;
