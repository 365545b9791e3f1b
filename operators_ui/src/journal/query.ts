/** What is asked of the journal, and where one is in it. Pure; instants are milliseconds UTC. */

import { HOUR_MS } from "../lib/time";

export interface Period {
  readonly from: number;
  readonly to: number;
}

/** Whose or which looks are asked for; empty is all. */
export interface Subject {
  readonly person: string;
  readonly camera: string;
  readonly commune: string;
}

/** Criteria by the name of the query's parameter; empty ones filter nothing. */
export type JournalFilter = Readonly<Record<string, string>>;

export const NO_FILTER: JournalFilter = {};
export const NOBODY: Subject = { person: "", camera: "", commune: "" };
export const PAGE = 50;
const DAY_MS = 24 * HOUR_MS;

function query(entries: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(entries).filter(([, value]) => value !== "")).toString();
}

/** The address of one page; empty filters and the newest page are left out. */
export const journalPath = (filter: JournalFilter, before: string | null): string =>
  `/api/journal?${query({ limit: String(PAGE), ...filter, before: before ?? "" })}`;

/** The address of the file of what a filter finds. */
export function csvPath(filter: JournalFilter): string {
  const asked = query(filter);
  return asked === "" ? "/api/journal.csv" : `/api/journal.csv?${asked}`;
}

/** The address of one page of the security log. */
export const securityPath = (before: number | null): string => `/api/security?${query({ limit: String(PAGE), before: before === null ? "" : String(before) })}`;

/** The address of what is told of a period, and of saying that an anomaly in it was looked into. */
export const periodPath = (what: "looks" | "statistics" | "anomalies" | "anomalies/seen", period: Period, subject: Subject): string =>
  `/api/journal/${what}?${query({ from: new Date(period.from).toISOString(), to: new Date(period.to).toISOString(), ...subject })}`;

/** The last so many days. */
export const lastDays = (now: number, days: number): Period => ({ from: now - days * DAY_MS, to: now });
