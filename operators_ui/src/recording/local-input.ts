/** What a person types into a date and time field, which is the centre's local time whatever the machine's zone. Pure. */

import { dayAfter, HOUR_MS, localOffset_ms } from "../lib/time";

/** The instant of `2026-11-26T14:30` in Europe/Paris; null when it can't be read. When the hour comes twice (end of summer
 * time) the first is taken, or the second if `later`; one that does not exist moves on by an hour. */
export function fromLocal(text: string, later = false): number | null {
  const local = Date.parse(`${text}Z`);
  if (Number.isNaN(local)) return null;
  const offsets = [localOffset_ms(local - 12 * HOUR_MS), localOffset_ms(local + 12 * HOUR_MS)];
  const found = offsets.map((offset) => local - offset).filter((at) => at + localOffset_ms(at) === local);
  if (found.length === 0) return local - Math.min(...offsets);
  return later ? Math.max(...found) : Math.min(...found);
}

/** What a form's last day, that day included, is on the wire: the first day without; null where none is told. */
export const endOf = (last: FormDataEntryValue | null): string | null => (last ? dayAfter(String(last)) : null);

/** The civil day of an instant there, as a date field wants it. */
export const localDay = (at: number): string => toLocal(at).slice(0, 10);

/** An instant as such a field wants it, to the minute. */
export const toLocal = (at: number): string => new Date(at + localOffset_ms(at)).toISOString().slice(0, 16);
