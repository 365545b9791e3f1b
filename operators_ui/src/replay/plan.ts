/** Between the film's own time (seconds from its start) and the wall clock (milliseconds UTC). Pure. */

import type { Plan, PlanItem } from "../api/types";

export type Clip = Extract<PlanItem, { kind: "clip" }>;
export type PlanGap = Extract<PlanItem, { kind: "gap" }>;

export const clips = (plan: Plan): Clip[] => plan.items.filter((item): item is Clip => item.kind === "clip");

/** Number of the clip that holds this media time; a joint belongs to the clip that begins there. -1 without any clip. */
export function clipAt(plan: Plan, media_s: number): number {
  const all = clips(plan);
  const found = all.findLastIndex((clip) => clip.media_from_s <= media_s + 1e-6);
  return found < 0 && all.length > 0 ? 0 : found;
}

/** When the picture at this media time was taken. */
export function wallAt(plan: Plan, media_s: number): number | null {
  const clip = clips(plan)[clipAt(plan, media_s)];
  if (clip === undefined) return null;
  const length_s = clip.media_to_s - clip.media_from_s;
  const part = length_s <= 0 ? 0 : Math.min(1, Math.max(0, (media_s - clip.media_from_s) / length_s));
  return clip.from + part * (clip.to - clip.from);
}

/** Where the film shows this instant; in a gap, where it goes on after it (or stops before it, at the end). */
export function mediaAt(plan: Plan, at: number): number {
  const all = clips(plan);
  const clip = all.find((one) => at < one.to) ?? all.at(-1);
  if (clip === undefined) return 0;
  const length_ms = clip.to - clip.from;
  const part = length_ms <= 0 ? 0 : Math.min(1, Math.max(0, (at - clip.from) / length_ms));
  return clip.media_from_s + part * (clip.media_to_s - clip.media_from_s);
}

/** The gap that lies just before this clip, or after the last one when `index` is the number of clips. */
export function gapBefore(plan: Plan, index: number): PlanGap | null {
  let seen = 0;
  let gap: PlanGap | null = null;
  for (const item of plan.items) {
    if (item.kind === "gap") gap = item;
    else if (seen++ === index) return gap;
    else gap = null;
  }
  return index >= seen ? gap : null;
}
