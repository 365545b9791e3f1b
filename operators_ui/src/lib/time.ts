/** Local time of the centre (Europe/Paris). Instants are milliseconds since the epoch, UTC; durations carry their unit. */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

const ZONE = "Europe/Paris";

function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("fr-FR", { timeZone: ZONE, hourCycle: "h23", ...options });
}

const hourMinute = formatter({ hour: "2-digit", minute: "2-digit" });
const hourMinuteSecond = formatter({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayNumeric = formatter({ day: "2-digit", month: "2-digit", year: "numeric" });
const dayLong = formatter({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const parts = formatter({
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export const clock = (at: number): string => hourMinuteSecond.format(at);
export const day = (at: number): string => dayNumeric.format(at);
export const longDay = (at: number): string => dayLong.format(at);
export const dayAndClock = (at: number): string => `${day(at)} ${clock(at)}${season(at)}`;

/** The first day on which what is written to hold "jusqu'au ... inclus" no longer does: persons write and read the last
 * day, the wire has the first one without. Days as a date field has them. */
export const dayAfter = (last: string): string => new Date(Date.parse(`${last}T00:00Z`) + 24 * HOUR_MS).toISOString().slice(0, 10);

/** The last day of what ends at this instant: a fact that ends at midnight does not hold on the day that begins then. */
export const lastDay = (end: number): string => day(end - 1);

/** `HH:MM`, and which of the two when the hour happens twice on that day (end of summer time). */
export const hourLabel = (at: number): string => `${hourMinute.format(at)}${season(at)}`;

/** Clock with tenths, for the instant of a picture. */
export const preciseClock = (at: number): string =>
  `${clock(at)},${Math.floor((((at % SECOND_MS) + SECOND_MS) % SECOND_MS) / 100)}${season(at)}`;

/** Clock with thousandths: pictures that follow one another are told apart. */
export const exactClock = (at: number): string =>
  `${clock(at)},${String(Math.floor(((at % SECOND_MS) + SECOND_MS) % SECOND_MS)).padStart(3, "0")}${season(at)}`;

/** How far local time is ahead of UTC at this instant, in milliseconds. */
export function localOffset_ms(at: number): number {
  const field = new Map(parts.formatToParts(at).map((part) => [part.type, Number(part.value)]));
  const of = (name: Intl.DateTimeFormatPartTypes): number => field.get(name) ?? 0;
  const local = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  return local - Math.floor(at / SECOND_MS) * SECOND_MS;
}

/** " (été)" or " (hiver)" for an instant whose local reading exists twice, else nothing. */
function season(at: number): string {
  const offset = localOffset_ms(at);
  if (localOffset_ms(at + HOUR_MS) < offset) return " (été)";
  if (localOffset_ms(at - HOUR_MS) > offset) return " (hiver)";
  return "";
}

/** First instant of the local day that holds `at`. */
export function localMidnight(at: number): number {
  const local = at + localOffset_ms(at);
  const midnight = Math.floor(local / (24 * HOUR_MS)) * 24 * HOUR_MS;
  const guess = midnight - localOffset_ms(at);
  return midnight - localOffset_ms(guess);
}

/** The age of a picture, short: `0,3 s`, `12 s`, `4 min`, `2 h 05`. */
export function age(age_ms: number): string {
  const value = Math.max(0, age_ms);
  if (value < 10 * SECOND_MS) return `${(value / SECOND_MS).toFixed(1).replace(".", ",")} s`;
  return duration(value);
}

export function duration(length_ms: number): string {
  const seconds = Math.round(Math.max(0, length_ms) / SECOND_MS);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}
