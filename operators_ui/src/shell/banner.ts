/** What a person at a post must know of the recorder: what is suspended, since when, what can't be done, who can end it.
 * Pure: from the alarms, which every role has. */

import type { Alarm } from "../api/types";
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
