/** Civil months and days of the centre, as `YYYY-MM` and `YYYY-MM-DD`; no instant in them, so no time zone either. */

const month = new Intl.DateTimeFormat("fr-FR", { timeZone: "UTC", month: "long", year: "numeric" });
const weekday = new Intl.DateTimeFormat("fr-FR", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" });
const local = new Intl.DateTimeFormat("fr-FR", { timeZone: "Europe/Paris", year: "numeric", month: "2-digit" });

/** The month that holds an instant, in local time. */
export function monthOf(at: number): string {
  const field = new Map(local.formatToParts(at).map((part) => [part.type, part.value]));
  return `${field.get("year") ?? ""}-${field.get("month") ?? ""}`;
}

/** The month so many months later, or earlier. */
export function monthsFrom(one: string, by: number): string {
  const [year = 0, number = 1] = one.split("-").map(Number);
  const at = new Date(Date.UTC(year, number - 1 + by, 1));
  return at.toISOString().slice(0, 7);
}

export const monthName = (one: string): string => month.format(Date.parse(`${one}-01T00:00:00Z`));
export const dayName = (one: string): string => weekday.format(Date.parse(`${one}T00:00:00Z`));
export const dayNumber = (one: string): string => one.split("-").reverse().join("/");
