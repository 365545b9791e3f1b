/** Days and instants as persons write them here, day first, whatever language the browser speaks; forms carry them as
 * ISO 8601 local time. Pure. */

/** `instant` has a time of day, to the minute, or the second where it is typed. */
export type DateKind = "day" | "instant";

const DAY = /^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4}|\d{2})$/;
const DIGITS = /^(\d{2})(\d{2})(\d{4})$/;
const ISO = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^(\d{1,2})(?:[:hH](\d{2})(?::(\d{2}))?|[hH])$/;

/** `2026-11-26`, or `2026-11-26T14:30` with `:05` where seconds are told; null when it is not a day that exists and, for
 * an instant, a time of day. A day copied from elsewhere in ISO 8601 is understood too; a year of two digits is of 2000. */
export function readTyped(kind: DateKind, text: string): string | null {
  const typed = text.trim().replace(/\s+/g, " ");
  if (kind === "day") return readDay(typed);
  const cut = Math.max(typed.lastIndexOf(" "), typed.lastIndexOf("T"));
  const [day, time] = [readDay(typed.slice(0, Math.max(cut, 0)).replace(/ (à|,)$|,$/, "")), readTime(typed.slice(cut + 1))];
  return day === null || time === null ? null : `${day}T${time}`;
}

function readDay(typed: string): string | null {
  const [, d = "", m = "", y = ""] = DAY.exec(typed) ?? DIGITS.exec(typed) ?? backwards(ISO.exec(typed));
  const iso = `${y.length === 2 ? `20${y}` : y}-${m.padStart(2, "0")}-${d.padStart(2, "0")}`;
  const at = Date.parse(`${iso}T00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(iso) ? iso : null;
}

const backwards = (found: RegExpExecArray | null): string[] => (found === null ? [] : ["", ...[...found].slice(1).reverse()]);

function readTime(typed: string): string | null {
  const [, hour, minute = "00", second] = TIME.exec(typed) ?? [];
  if (hour === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return null;
  return `${hour.padStart(2, "0")}:${minute}${second === undefined ? "" : `:${second}`}`;
}

/** What a field shows of such a value: `26/11/2026`, `26/11/2026 14:30`; as it is when it can't be read. */
export function showTyped(kind: DateKind, value: string): string {
  const iso = readTyped(kind, value);
  if (iso === null) return value;
  const [day = "", time] = iso.split("T");
  const french = day.split("-").reverse().join("/");
  return time === undefined ? french : `${french} ${time}`;
}
