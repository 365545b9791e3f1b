/** Paints the timeline on its canvas. Colours only repeat what labels, the legend and the table say. */

import type { Timeline } from "../api/types";
import { fr } from "../strings";
import { marks, xOf, type Window } from "./scale";

export interface Scene {
  readonly window: Window;
  readonly data: Timeline | null;
  readonly now: number;
  /** The picture on the screen. */
  readonly shown: number | null;
  /** The keyboard's or the mouse's place. */
  readonly cursor: number | null;
  /** The interval under replay. */
  readonly interval: Window | null;
}

export const CAUSE_COLOURS: Readonly<Record<string, string>> = {
  camera: "#e0913a", network: "#d66fb0", storage: "#f0685f", ours: "#a58cf0", authorisation: "#d9c34a",
  planned: "#8796a5", masked: "#5f7082",
};
const OTHER_CAUSE = "#8796a5";
const RUN = "#2f8f68";
const TEXT = "#e8edf2";
const QUIET = "#a3b0bd";
const LINE = "#2b3641";
const BAND_TOP = 24;
const BAND_HEIGHT = 30;

export const HEIGHT_PX = 64;
export const colourOf = (cause: string): string => CAUSE_COLOURS[cause] ?? OTHER_CAUSE;

export function draw(context: CanvasRenderingContext2D, width_px: number, scene: Scene): void {
  context.clearRect(0, 0, width_px, HEIGHT_PX);
  context.font = '11px "Inter", "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif';
  context.textBaseline = "middle";
  const x = (at: number): number => xOf(scene.window, at, width_px);
  drawBands(context, scene, x, width_px);
  drawAnnouncements(context, scene, x);
  drawMarks(context, scene.window, x, width_px);
  if (scene.interval) drawInterval(context, x(scene.interval.from), x(scene.interval.to));
  drawFuture(context, x(scene.now), width_px);
  if (scene.cursor !== null) drawLine(context, x(scene.cursor), QUIET, 1);
  if (scene.shown !== null) drawNeedle(context, x(scene.shown));
}

function drawBands(context: CanvasRenderingContext2D, scene: Scene, x: (at: number) => number, width_px: number): void {
  context.fillStyle = "#0d1216";
  context.fillRect(0, BAND_TOP, width_px, BAND_HEIGHT);
  context.fillStyle = RUN;
  for (const run of scene.data?.runs ?? []) band(context, x(run.from), x(run.to));
  for (const gap of scene.data?.gaps ?? []) {
    const [left, right] = [x(gap.from), x(gap.to)];
    context.fillStyle = colourOf(gap.cause);
    band(context, left, right);
    hatch(context, left, right);
    const label = fr.cause(gap.cause);
    const from = Math.max(left, 0);
    if (Math.min(right, width_px) - from > context.measureText(label).width + 14) tag(context, from + 4, label);
  }
}

/** A line under the band: what was announced, whether pictures came or not. */
function drawAnnouncements(context: CanvasRenderingContext2D, scene: Scene, x: (at: number) => number): void {
  for (const one of scene.data?.interruptions ?? []) {
    context.fillStyle = colourOf(one.cause);
    context.fillRect(x(one.from), BAND_TOP + BAND_HEIGHT + 3, Math.max(1, x(one.to) - x(one.from)), 4);
  }
}

/** At least one pixel wide: a short gap does not vanish in a wide window. */
function band(context: CanvasRenderingContext2D, left: number, right: number): void {
  context.fillRect(left, BAND_TOP, Math.max(1, right - left), BAND_HEIGHT);
}

function hatch(context: CanvasRenderingContext2D, left: number, right: number): void {
  if (right - left < 4) return;
  context.save();
  context.beginPath();
  context.rect(left, BAND_TOP, right - left, BAND_HEIGHT);
  context.clip();
  context.strokeStyle = "#0a0d10aa";
  context.lineWidth = 2;
  context.beginPath();
  for (let at = Math.max(left, -BAND_HEIGHT) - BAND_HEIGHT; at < right && at < 10_000; at += 8) {
    context.moveTo(at, BAND_TOP + BAND_HEIGHT);
    context.lineTo(at + BAND_HEIGHT, BAND_TOP);
  }
  context.stroke();
  context.restore();
}

function tag(context: CanvasRenderingContext2D, left: number, label: string): void {
  context.fillStyle = "#0a0d10";
  context.fillRect(left, BAND_TOP + 8, context.measureText(label).width + 8, 14);
  context.fillStyle = TEXT;
  context.fillText(label, left + 4, BAND_TOP + 15.5);
}

function drawMarks(context: CanvasRenderingContext2D, window: Window, x: (at: number) => number, width_px: number): void {
  for (const mark of marks(window, width_px)) {
    const at = Math.round(x(mark.at)) + 0.5;
    context.strokeStyle = mark.isDay ? QUIET : LINE;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(at, 14);
    context.lineTo(at, HEIGHT_PX);
    context.stroke();
    context.fillStyle = mark.isDay ? TEXT : QUIET;
    context.fillText(mark.label, at + 4, 9);
  }
}

function drawInterval(context: CanvasRenderingContext2D, left: number, right: number): void {
  context.strokeStyle = "#6cb6f0";
  context.lineWidth = 2;
  context.strokeRect(left, BAND_TOP - 1, right - left, BAND_HEIGHT + 2);
}

function drawFuture(context: CanvasRenderingContext2D, left: number, width_px: number): void {
  if (left >= width_px) return;
  context.fillStyle = "#0a0d10";
  context.fillRect(left, BAND_TOP, width_px - left, BAND_HEIGHT);
  drawLine(context, left, "#67cf9a", 1);
}

function drawLine(context: CanvasRenderingContext2D, at: number, colour: string, width: number): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(at, BAND_TOP - 4);
  context.lineTo(at, HEIGHT_PX);
  context.stroke();
}

function drawNeedle(context: CanvasRenderingContext2D, at: number): void {
  drawLine(context, at, "#ffd84d", 2);
  context.fillStyle = "#ffd84d";
  context.beginPath();
  context.moveTo(at - 5, BAND_TOP - 7);
  context.lineTo(at + 5, BAND_TOP - 7);
  context.lineTo(at, BAND_TOP);
  context.fill();
}
