/** The timeline's arithmetic: instants (milliseconds UTC) and pixels, zoom, and the marks of local time. Pure. */

import { HOUR_MS, hourLabel, localMidnight, localOffset_ms, MINUTE_MS, SECOND_MS, longDay } from "../lib/time";

export interface Window {
  readonly from: number;
  readonly to: number;
}

export const NARROWEST_MS = 10 * MINUTE_MS;
/** A local day can have 25 hours. */
export const WIDEST_MS = 25 * HOUR_MS;
/** Part of the window that may lie in the future, so that "now" is not at the very edge. */
const AHEAD = 0.04;

export const span = (window: Window): number => window.to - window.from;
export const xOf = (window: Window, at: number, width_px: number): number => ((at - window.from) / span(window)) * width_px;
export const timeAt = (window: Window, x_px: number, width_px: number): number => window.from + (x_px / width_px) * span(window);

/** A window of this length that ends just after `now`. */
export function untilNow(now: number, length_ms: number): Window {
  const to = now + length_ms * AHEAD;
  return { from: to - length_ms, to };
}

function notBeyond(window: Window, now: number): Window {
  const excess = window.to - (now + span(window) * AHEAD);
  return excess > 0 ? { from: window.from - excess, to: window.to - excess } : window;
}

/** `factor` under 1 shows less time, larger; `anchor` keeps its place. */
export function zoom(window: Window, factor: number, anchor: number, now: number): Window {
  const length = Math.min(WIDEST_MS, Math.max(NARROWEST_MS, span(window) * factor));
  const part = (anchor - window.from) / span(window);
  return notBeyond({ from: anchor - part * length, to: anchor + (1 - part) * length }, now);
}

export const pan = (window: Window, by_ms: number, now: number): Window =>
  notBeyond({ from: window.from + by_ms, to: window.to + by_ms }, now);

/** The same window, moved as little as needed to show `at`. */
export function showing(window: Window, at: number, now: number): Window {
  if (at < window.from) return pan(window, at - window.from - span(window) * 0.1, now);
  if (at > window.to) return pan(window, at - window.to + span(window) * 0.1, now);
  return window;
}

/** What to ask for, so that small moves of the window need no new request. */
export function loaded(window: Window): Window {
  const block = 2 ** Math.ceil(Math.log2(span(window)));
  const from = Math.floor(window.from / block) * block;
  return { from, to: from + 2 * block };
}

export interface Mark {
  readonly at: number;
  readonly label: string;
  readonly isDay: boolean;
}

const STEPS_MS = [
  MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS,
  HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS,
];
const LABEL_PX = 96;

/**
 * Marks at round local times, at least LABEL_PX apart. Up to an hour they are evenly spaced instants (France is whole
 * hours from UTC), so a repeated hour is marked twice; beyond, they are the hours whose local number divides.
 */
export function marks(window: Window, width_px: number): Mark[] {
  const least_ms = (span(window) * LABEL_PX) / width_px;
  const step = STEPS_MS.find((one) => one >= least_ms) ?? 12 * HOUR_MS;
  const raster = Math.min(step, HOUR_MS);
  const found: Mark[] = [];
  for (let at = Math.ceil(window.from / raster) * raster; at <= window.to; at += raster) {
    const local = at + localOffset_ms(at);
    if (local % step !== 0) continue;
    const isDay = local % (24 * HOUR_MS) === 0;
    found.push({ at, isDay, label: isDay ? longDay(at).replace(/ \d{4}$/, "") : hourLabel(at) });
  }
  return found;
}

/** 23, 24 or 25: hours of the local day that holds `at`. */
export function hoursOfDay(at: number): number {
  const start = localMidnight(at);
  return Math.round((localMidnight(start + 30 * HOUR_MS) - start) / HOUR_MS);
}

/** Cursor steps of the keyboard. */
export const SMALL_STEP_MS = 10 * SECOND_MS;
export const LARGE_STEP_MS = MINUTE_MS;

