/** Looks drawn on lanes: one an agent, a camera or a commune. Pure; instants are milliseconds UTC, lengths shares of the period. */

import type { Look } from "../api/types";
import type { Period } from "./query";

export type LaneOf = "person" | "camera" | "commune";

export interface Bar {
  readonly start: number;
  readonly length: number;
  readonly act: string;
  readonly isOpen: boolean;
}

export interface Lane {
  readonly key: string;
  readonly name: string;
  readonly bars: readonly Bar[];
}

/** Lanes by name; a bar is the part of a look within the period. */
export function lanesOf(looks: readonly Look[], by: LaneOf, period: Period, now: number, communeName: (insee: string) => string): Lane[] {
  const lanes = new Map<string, { name: string; bars: Bar[] }>();
  const whole = period.to - period.from;
  for (const look of looks) {
    const start = Math.max(look.begun_at, period.from);
    const end = Math.min(look.ended_at ?? now, period.to);
    if (end <= start) continue;
    const key = look[by] ?? "";
    const name = by === "person" ? look.author : by === "camera" ? (look.camera_name ?? "—") : communeName(key);
    const lane = lanes.get(key) ?? { name, bars: [] };
    lane.bars.push({ start: (start - period.from) / whole, length: (end - start) / whole, act: look.act, isOpen: look.ended_at === null });
    lanes.set(key, lane);
  }
  return [...lanes].map(([key, lane]) => ({ key, ...lane })).sort((a, b) => a.name.localeCompare(b.name, "fr"));
}
