/** What is due next of an authorisation, and how near it is. Pure; instants are milliseconds UTC. */

import type { Authorisation } from "../api/types";
import { day, HOUR_MS, lastDay } from "../lib/time";

const DAY_MS = 24 * HOUR_MS;
/** Renewing takes months (CSI R.252-8: four of silence are a refusal). */
export const NEAR_DAYS = 120;
/** Nothing comes any more: these are shown last. */
const OVER = new Set(["REFUSEE", "REFUS_IMPLICITE", "EXPIREE", "RETIREE", "FIN_EVENEMENT", "REMPLACEE", "CLASSEE"]);
const GOOD = new Set(["ACTIVE", "PROVISOIRE"]);

export type Tone = "good" | "warning" | "bad" | "quiet";

export function tone(one: Authorisation): Tone {
  if (OVER.has(one.state)) return "quiet";
  if (one.state === "SUSPENDUE") return "bad";
  return GOOD.has(one.state) ? "good" : "warning";
}

export const isOver = (one: Authorisation): boolean => OVER.has(one.state);

/** Whole days before an instant; negative when it has passed. */
export const daysUntil = (at: number, now: number): number => Math.floor((at - now) / DAY_MS);

/** The next thing due, null when nothing is. */
export const next = (one: Authorisation): Authorisation["deadlines"][number] | null =>
  [...one.deadlines].sort((a, b) => a.at - b.at)[0] ?? null;

/** What ends at an instant is told by its last day, as an arrêté writes it; what begins then by its first. */
const ENDS = new Set(["AUTH_EXPIRED", "CDV_OPINION"]);
export const dueDay = (due: Authorisation["deadlines"][number]): string => (ENDS.has(due.code) ? lastDay(due.at) : day(due.at));

/** What is over comes last; the rest by what is due next. */
export function byUrgency(list: readonly Authorisation[]): Authorisation[] {
  const rank = (one: Authorisation): number => (isOver(one) ? Number.MAX_SAFE_INTEGER : (next(one)?.at ?? Number.MAX_SAFE_INTEGER - 1));
  return [...list].sort((a, b) => rank(a) - rank(b) || a.commune.name.localeCompare(b.commune.name, "fr") || a.dossier.localeCompare(b.dossier, "fr"));
}
