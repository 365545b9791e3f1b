/** The wall's arrangement: which camera in which slot, which slots are shown, where the keyboard is. Pure. */

import type { Camera, Stream } from "../api/types";
import { OF_RIGHTS, type Refusal } from "../live/session-state";
import { array, DecodeError, nullable, number, object, string } from "../lib/decode";

export const LAYOUTS = [1, 4, 9, 16] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface Wall {
  readonly layout: Layout;
  /** Camera ids; index = slot. Slots beyond the list are free. */
  readonly slots: readonly (string | null)[];
  readonly focus: number;
}

export const SLOTS = 64;
export const EMPTY_WALL: Wall = { layout: 9, slots: [], focus: 0 };

/** A wider tile than this, in device pixels, gets the main stream: a sub-stream is 640 pixels wide. */
const MAIN_FROM_PX = 720;

export function streamFor(width_px: number, streams: readonly Stream[]): Stream {
  if (width_px > MAIN_FROM_PX || !streams.includes("sub")) return "main";
  return "sub";
}

export const columns = (layout: Layout): number => Math.sqrt(layout);
export const firstShown = (wall: Wall): number => Math.floor(wall.focus / wall.layout) * wall.layout;
export const page = (wall: Wall): number => Math.floor(wall.focus / wall.layout);

/** Pages that hold a camera, and at least the one that is shown. */
export function pages(wall: Wall): number {
  const last = wall.slots.findLastIndex((slot) => slot !== null);
  return Math.max(page(wall) + 1, Math.ceil((last + 1) / wall.layout));
}

/** Slot numbers on the screen. */
export function shown(wall: Wall): number[] {
  const start = firstShown(wall);
  return Array.from({ length: wall.layout }, (_, i) => start + i);
}

export const cameraIn = (wall: Wall, slot: number): string | null => wall.slots[slot] ?? null;

/** The slots that are asked for again with one: a right that is given back brings all its pictures back. Those that would
 * be refused stay as they are, since each refusal is an entry of the journal. */
export function askedWith(wall: Wall, slot: number, isOpen: (camera: string) => boolean): number[] {
  return shown(wall).filter((one) => {
    const camera = cameraIn(wall, one);
    return one === slot || (camera !== null && isOpen(camera));
  });
}

/** What the inventory tells of a right that is missing; a refusal that hangs on the motif is told by asking only. */
export const knownRefusal = ({ live }: Pick<Camera, "live">): Refusal | null =>
  live.allowed || live.code === null || !OF_RIGHTS.has(live.code) ? null : { code: live.code, reason: live.reason ?? "" };

export type Move = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

/** The neighbouring tile on this page; the edge of the page stops. */
export function move(wall: Wall, key: Move): Wall {
  const width = columns(wall.layout);
  const start = firstShown(wall);
  const [row, column] = [Math.floor((wall.focus - start) / width), (wall.focus - start) % width];
  const clamp = (value: number): number => Math.min(width - 1, Math.max(0, value));
  const newRow = clamp(row + (key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0));
  const newColumn = clamp(column + (key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0));
  return { ...wall, focus: start + newRow * width + newColumn };
}

export function turnPage(wall: Wall, by: number): Wall {
  const target = Math.min(pages(wall) - 1, Math.max(0, page(wall) + by));
  return { ...wall, focus: target * wall.layout + (wall.focus - firstShown(wall)) };
}

export const withLayout = (wall: Wall, layout: Layout): Wall => ({ ...wall, layout });
export const withFocus = (wall: Wall, focus: number): Wall => ({ ...wall, focus: Math.min(SLOTS - 1, Math.max(0, focus)) });

/** Put a camera in a slot; a camera that is already elsewhere changes places with what was there. */
export function assign(wall: Wall, slot: number, camera: string | null): Wall {
  const slots = Array.from({ length: Math.max(wall.slots.length, slot + 1) }, (_, i) => cameraIn(wall, i));
  const elsewhere = camera === null ? -1 : slots.indexOf(camera);
  if (elsewhere >= 0) slots[elsewhere] = slots[slot] ?? null;
  slots[slot] = camera;
  return { ...wall, slots };
}

/** Forget cameras that are no longer in the inventory; when nothing is left, lay out the inventory from the first slot. */
export function reconcile(wall: Wall, cameras: readonly Camera[]): Wall {
  const known = new Set(cameras.map((camera) => camera.id));
  const slots = wall.slots.map((slot) => (slot !== null && known.has(slot) ? slot : null));
  if (slots.some((slot) => slot !== null)) return { ...wall, slots };
  const filled = cameras.slice(0, SLOTS).map((camera) => camera.id);
  const layout = LAYOUTS.find((one) => one >= filled.length) ?? 16;
  return { layout, slots: filled, focus: 0 };
}

const KEY = "csu.wall";
const stored = object({ layout: number, slots: array(nullable(string)), focus: number });

/** The arrangement belongs to the post, not to the agent: it stays over a change of agent. It holds no picture. */
export function load(storage: Pick<Storage, "getItem">): Wall {
  try {
    const read = stored(JSON.parse(storage.getItem(KEY) ?? "null"), "wall");
    const layout = LAYOUTS.find((one) => one === read.layout);
    return layout === undefined ? EMPTY_WALL : withFocus({ ...read, layout, slots: read.slots.slice(0, SLOTS) }, read.focus);
  } catch (error) {
    if (error instanceof DecodeError || error instanceof SyntaxError) return EMPTY_WALL;
    throw error;
  }
}

export function save(storage: Pick<Storage, "setItem">, wall: Wall): void {
  storage.setItem(KEY, JSON.stringify(wall));
}
