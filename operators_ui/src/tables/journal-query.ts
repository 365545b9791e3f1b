/** What is asked of the journal, and where one is in it. Pure. */

export interface JournalFilter {
  readonly op: string;
  readonly camera: string;
  readonly author: string;
}

export const NO_FILTER: JournalFilter = { op: "", camera: "", author: "" };
export const PAGE = 50;

/** The address of one page; empty filters and the newest page are left out. */
export function journalPath(filter: JournalFilter, before: string | null): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [name, value] of Object.entries(filter)) {
    if (value !== "") query.set(name, String(value));
  }
  if (before !== null) query.set("before", before);
  return `/api/journal?${query}`;
}
