/** Which interval a request for a replay names. Pure; milliseconds UTC. */

import { MINUTE_MS, SECOND_MS } from "../lib/time";

export interface Interval {
  readonly from: number;
  readonly to: number;
}

export const REPLAY_MS = 10 * MINUTE_MS;
/** What is newer than this may not be on the disk yet. */
const DURABLE_MS = 3 * SECOND_MS;

/** From `at`, ten minutes or up to what is recorded; null when nothing can be recorded yet. */
export function intervalFrom(at: number, now: number): Interval | null {
  const to = Math.min(at + REPLAY_MS, now - DURABLE_MS);
  return to - at < SECOND_MS ? null : { from: Math.round(at), to: Math.round(to) };
}

/** The same interval asked for again, from the picture that was shown last: who lost the film has not lost the place. */
export function resumed(interval: Interval, shown: number | null): Interval {
  const isInside = shown !== null && shown > interval.from && shown <= interval.to - SECOND_MS;
  return isInside ? { from: Math.round(shown), to: interval.to } : interval;
}

/** From where to go on after `at`: there, or where the camera recorded again; null when it hasn't since. */
export function nextRecorded(runs: readonly Interval[], at: number): number | null {
  const starts = runs.filter((run) => run.to - at >= SECOND_MS).map((run) => Math.max(run.from, at));
  return starts.length === 0 ? null : Math.min(...starts);
}
