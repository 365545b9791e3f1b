/** Which alarms a person hears of first. Pure. */

import type { Alarm } from "../api/types";

/** What is to be done by a day that is weeks ahead: nothing is wrong yet, and it does not look so. */
const AHEAD = new Set([
  "AUTH_EXPIRING", "PROVISIONAL_ENDING", "DEPORT_ENDING", "AGREMENT_ENDING", "DELEGATION_ENDING", "DESIGNATION_ENDING", "INQUIRY_DUE", "LEAVER", "REVIEW_DUE",
]);

export const isAhead = (alarm: Pick<Alarm, "code">): boolean => AHEAD.has(alarm.code);

/** Those that last: what is wrong now, the newest first, then what falls due. */
export const current = (alarms: readonly Alarm[]): Alarm[] =>
  alarms.filter((alarm) => alarm.ended === null).sort((a, b) => Number(isAhead(a)) - Number(isAhead(b)) || b.since - a.since);
