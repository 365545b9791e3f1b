/** What a person at a post must know of the recorder: what is suspended, since when, what can't be done, who can end it.
 * Pure: from the alarms, which every role has. */

import type { Alarm, WaitingProposal } from "../api/types";
import { MINUTE_MS } from "../lib/time";
import { fr } from "../strings";

export interface Notice {
  readonly code: string;
  readonly since: number;
  /** What the alarm says, with its cause. */
  readonly message: string;
  readonly effect: string;
  readonly who: string;
}

const CODES = ["CLOCK_UNTRUSTED", "DESTRUCTION_BREAKER", "DEGRADED"] as const;

export function notices(alarms: readonly Alarm[], mayRelease: boolean): Notice[] {
  return CODES.flatMap((code) => {
    const alarm = alarms.find((one) => one.code === code && one.ended === null);
    if (alarm === undefined) return [];
    const words = fr.banner[code];
    return [{ code, since: alarm.since, message: alarm.message, effect: words.effect, who: mayRelease ? words.whoMay : words.whoMayNot }];
  });
}

const SESSION_END_TOLD_MS = 15 * MINUTE_MS;

/** A session that ends closes its pictures: who watches hears of it before, to take the post anew at a quiet moment. */
export const sessionEndsSoon = (ends_at: number, now: number): boolean => now >= ends_at - SESSION_END_TOLD_MS;

export interface ToConfirm {
  readonly count: number;
  /** Null: not to be told here. */
  readonly decision: string | null;
  readonly camera: string | null;
  readonly who: string;
  readonly until: number;
}

/** What this person may confirm and falls first, and how many there are; null when there is none. */
export function firstToConfirm(proposals: readonly WaitingProposal[]): ToConfirm | null {
  const others = proposals
    .filter((one) => !one.mine && one.may_decide)
    .sort((a, b) => a.expires_at - b.expires_at);
  const [first] = others;
  if (first === undefined) return null;
  // That a requisition exists is secret (CPP 11), and the banner is on the wall's screen.
  if (first.decision === "hold_release") return { count: others.length, decision: null, camera: null, who: first.proposed_by, until: first.expires_at };
  const camera = first.camera === null ? null : `${first.camera.number} ${first.camera.name}`;
  return { count: others.length, decision: first.decision, camera, who: first.proposed_by, until: first.expires_at };
}
