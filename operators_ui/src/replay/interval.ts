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
