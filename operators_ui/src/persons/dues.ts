/** What is due of persons, the first due first. Pure; instants are milliseconds UTC. */

import type { Due, Person } from "../api/types";
import { day, lastDay } from "../lib/time";

/** What already blocks, or is late. */
const LATE = new Set(["AGREMENT_SUSPENDED", "INQUIRY_OVERDUE", "REVIEW_OVERDUE"]);

export const isLate = (due: Due, now: number): boolean => LATE.has(due.code) || due.by <= now;

/** A right that ends is told by its last day; all else by the day on which it is due. */
export const dueDay = (due: Due): string => (due.code.endsWith("_ENDING") ? lastDay(due.by) : day(due.by));

export interface DueOf extends Due {
  readonly person: Person;
}

/** Those of open accounts. */
export const duesOf = (persons: readonly Person[]): DueOf[] =>
  persons
    .filter((person) => person.closed_at === null)
    .flatMap((person) => person.dues.map((due) => ({ ...due, person })))
    .sort((a, b) => a.by - b.by || a.person.name.localeCompare(b.person.name, "fr"));
