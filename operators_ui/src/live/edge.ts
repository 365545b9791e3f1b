/** Keeping a live picture at the live edge. Pure; media times in seconds. */

export interface Range {
  readonly start_s: number;
  readonly end_s: number;
}

export interface Follow {
  /** Where to jump, or null to stay. */
  readonly seek_s: number | null;
  readonly rate: number;
}

const TARGET_S = 0.12;
const FAR_S = 1.2;
const BEHIND_S = 0.5;
const LATE_S = 0.22;
/** How far the element's clock may stand behind the edge while its pictures do not. */
const STOPPED_CLOCK_S = 8;

/**
 * Jump when the picture is outside what is buffered at the edge or far behind it; else play faster or slower, towards
 * TARGET_S. `current_s` is the element's clock, `shown_s` the picture on the screen: after running dry, Chromium can
 * hold its clock for seconds and go on showing each new picture as it comes, which is what is wanted here.
 */
export function follow(current_s: number, shown_s: number | null, ranges: readonly Range[], edge_s: number): Follow {
  const slack = 0.05;
  const range = ranges.findLast((one) => one.start_s - slack <= edge_s && edge_s <= one.end_s + slack) ?? ranges.at(-1);
  if (range === undefined) return { seek_s: null, rate: 1 };
  const inside = current_s >= range.start_s - slack && current_s <= range.end_s + slack;
  const lag = range.end_s - Math.max(current_s, shown_s ?? current_s);
  if (!inside || lag > FAR_S || range.end_s - current_s > STOPPED_CLOCK_S) return { seek_s: Math.max(range.start_s, range.end_s - TARGET_S), rate: 1 };
  if (lag > BEHIND_S) return { seek_s: null, rate: 1.25 };
  if (lag > LATE_S) return { seek_s: null, rate: 1.06 };
  return { seek_s: null, rate: lag < TARGET_S / 2 ? 0.97 : 1 };
}

const KEPT_S = 4;
const TRIM_AT_S = 12;

/** What to remove from the buffer, or null: nothing before it holds more than TRIM_AT_S behind the picture. */
export function trim(current_s: number, ranges: readonly Range[]): Range | null {
  const first = ranges[0];
  if (first === undefined || current_s - first.start_s < TRIM_AT_S) return null;
  return { start_s: first.start_s, end_s: current_s - KEPT_S };
}
