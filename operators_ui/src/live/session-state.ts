/**
 * What the console wants to see live, and where each tile stands. Pure: told the time and what happened, it answers with
 * the next state and what the shell has to do. One WebSocket for all tiles; one request for all missing tickets.
 */

import { backoff_ms } from "../lib/backoff";
import type { Stream, TicketResult } from "../api/types";
import { fr } from "../strings";
import type { ClientMessage, ServerMessage } from "./codec";

export interface Wanted {
  readonly tile: string;
  readonly camera: string;
  readonly stream: Stream;
  /** Why the centre's inventory says that this person may not look; null when they may, or when only asking tells. */
  readonly refusal: Refusal | null;
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
}

/** Refusals of a right, which no other motif lifts. Known from the inventory they are shown without being asked for: each
 * answer of the centre would be an entry of the journal though nobody tried to look. Only a person's own asking is one. */
export const OF_RIGHTS: ReadonlySet<string> = new Set([
  "NOT_HABILITE", "OUT_OF_COMMUNE", "AGREMENT_MISSING", "CONVENTION_MISSING", "AUTH_MISSING", "AUTH_EXPIRED", "AUTH_SUSPENDED", "MASK_LOCKED",
  "DEPORT_NO_ARRETE", "DEPORT_MODE",
]);

export type TileState =
  | { readonly kind: "idle" }
  | { readonly kind: "asking" }
  | { readonly kind: "opening"; readonly since: number }
  | {
      readonly kind: "live";
      readonly channel: number;
      readonly mime: string;
      readonly since: number;
      readonly skipped: number;
      readonly lost: { readonly fault: string; readonly reason: string } | null;
    }
  /** Stays so until the person asks again; `cut` tells a right withdrawn from one that was never there. */
  | { readonly kind: "refused"; readonly code: string; readonly reason: string; readonly cut: boolean }
  | { readonly kind: "waiting"; readonly reason: string; readonly until: number };

export interface Tile {
  readonly wanted: Wanted;
  /** The name of this try on the wire: a late answer to an earlier one finds no tile. */
  readonly key: string;
  readonly state: TileState;
  readonly attempt: number;
}

export type Link =
  | { readonly kind: "down" }
  | { readonly kind: "connecting" }
  | { readonly kind: "up" }
  | { readonly kind: "waiting"; readonly until: number };

export interface LiveState {
  readonly link: Link;
  readonly linkAttempt: number;
  readonly tiles: readonly Tile[];
  readonly serial: number;
}

export const EMPTY: LiveState = { link: { kind: "down" }, linkAttempt: 0, tiles: [], serial: 0 };

export type LiveEvent =
  | { readonly kind: "want"; readonly wanted: readonly Wanted[] }
  /** Ask anew for those of these tiles that are refused; null: for every one that another motif may open. */
  | { readonly kind: "again"; readonly tiles: readonly string[] | null }
  | { readonly kind: "linked" }
  | { readonly kind: "unlinked" }
  | { readonly kind: "tickets"; readonly keys: readonly string[]; readonly results: readonly TicketResult[] }
  | { readonly kind: "no-tickets"; readonly keys: readonly string[]; readonly reason: string; readonly code: string | null }
  | { readonly kind: "message"; readonly message: ServerMessage }
  | { readonly kind: "player-failed"; readonly tile: string }
  | { readonly kind: "tick" };

export type Effect =
  | { readonly kind: "connect" }
  | { readonly kind: "disconnect" }
  | { readonly kind: "ask"; readonly tiles: readonly { readonly key: string; readonly wanted: Wanted }[] }
  | { readonly kind: "send"; readonly message: ClientMessage }
  /** The picture may not stay on the screen. */
  | { readonly kind: "blank"; readonly tile: string };

export type Step = readonly [LiveState, readonly Effect[]];

/** Ends that do not settle whether the person may look: the tile asks the centre again by itself. Any other stays. */
export const PASSING_ENDS: ReadonlySet<string> = new Set([
  "CENTRE_UNREACHABLE", "FAILURE", "NO_PICTURE", "RIGHT_ENDED", "SHUTTING_DOWN", "SPOOL_UNAVAILABLE", "TICKET_LATE",
  "TICKET_USED", "TOO_MANY_CHANNELS", "TOO_MANY_VIEWERS",
]);

const OPENING_LIMIT_MS = 8_000;
const SETTLED_MS = 10_000;

export function step(state: LiveState, event: LiveEvent, now: number, random: () => number): Step {
  const effects: Effect[] = [];
  const next = settle(apply(state, event, now, random, effects), now, effects);
  return [next, effects];
}

export const channelOf = (tile: Tile): number | null => (tile.state.kind === "live" ? tile.state.channel : null);

function apply(state: LiveState, event: LiveEvent, now: number, random: () => number, effects: Effect[]): LiveState {
  switch (event.kind) {
    case "want":
      return want(state, event.wanted, effects);
    case "again":
      return each(state, (tile) => {
        const isOfRights = tile.state.kind === "refused" && OF_RIGHTS.has(tile.state.code);
        const meant = event.tiles === null ? !isOfRights : event.tiles.includes(tile.wanted.tile);
        return meant && (tile.state.kind === "refused" || tile.state.kind === "waiting") ? { ...tile, state: { kind: "idle" } } : tile;
      });
    case "linked":
      return each({ ...state, link: { kind: "up" }, linkAttempt: 0 }, (tile) =>
        tile.state.kind === "waiting" ? { ...tile, state: { kind: "idle" } } : tile,
      );
    case "unlinked":
      return unlinked(state, now, random());
    case "tickets":
      return tickets(state, event.keys, event.results, now, effects);
    case "no-tickets":
      return each(state, (tile) => {
        if (!event.keys.includes(tile.key) || tile.state.kind !== "asking") return tile;
        if (event.code === null) return waiting(tile, event.reason, now, random());
        effects.push({ kind: "blank", tile: tile.wanted.tile });
        return { ...tile, state: { kind: "refused", code: event.code, reason: event.reason, cut: false } };
      });
    case "message":
      return message(state, event.message, now, random, effects);
    case "player-failed":
      return each(state, (tile) => {
        if (tile.wanted.tile !== event.tile || tile.state.kind !== "live") return tile;
        effects.push({ kind: "send", message: { type: "close", channel: tile.state.channel } });
        return waiting(tile, fr.wall.player, now, random());
      });
    case "tick":
      return each(state, (tile) => {
        const due = tile.state.kind === "waiting" && tile.state.until <= now;
        if (due && state.link.kind === "up") return { ...tile, state: { kind: "idle" } };
        if (tile.state.kind === "opening" && now - tile.state.since > OPENING_LIMIT_MS) {
          return waiting(tile, fr.wall.timeout, now, random());
        }
        return tile;
      });
  }
}

/** After every event: the link exists while something is wanted, and every idle tile is in one request for tickets. */
function settle(state: LiveState, now: number, effects: Effect[]): LiveState {
  const wantsLink = state.tiles.some((tile) => tile.state.kind !== "refused");
  if (state.tiles.length === 0 && state.link.kind !== "down") {
    effects.push({ kind: "disconnect" });
    return { ...state, link: { kind: "down" } };
  }
  const due = state.link.kind === "down" || (state.link.kind === "waiting" && state.link.until <= now);
  if (wantsLink && due) {
    effects.push({ kind: "connect" });
    return { ...state, link: { kind: "connecting" } };
  }
  if (state.link.kind !== "up") return state;
  const idle = state.tiles.filter((tile) => tile.state.kind === "idle");
  if (idle.length === 0) return state;
  let serial = state.serial;
  const tiles = state.tiles.map((tile): Tile =>
    tile.state.kind === "idle" ? { ...tile, key: `${tile.wanted.tile}#${++serial}`, state: { kind: "asking" } } : tile,
  );
  const asked = tiles.filter((_, i) => state.tiles[i]?.state.kind === "idle");
  effects.push({ kind: "ask", tiles: asked.map(({ key, wanted }) => ({ key, wanted })) });
  return { ...state, serial, tiles };
}

function want(state: LiveState, wanted: readonly Wanted[], effects: Effect[]): LiveState {
  const before = new Map(state.tiles.map((tile) => [tile.wanted.tile, tile]));
  const tiles = wanted.map((one): Tile => {
    const old = before.get(one.tile);
    if (old && old.wanted.camera === one.camera && (old.wanted.stream === one.stream || old.state.kind === "refused")) {
      before.delete(one.tile);
      return { ...old, wanted: one };
    }
    const state: TileState = one.refusal === null ? { kind: "idle" } : { kind: "refused", ...one.refusal, cut: false };
    return { wanted: one, key: "", state, attempt: 0 };
  });
  for (const old of before.values()) {
    if (old.state.kind === "live") effects.push({ kind: "send", message: { type: "close", channel: old.state.channel } });
    effects.push({ kind: "blank", tile: old.wanted.tile });
  }
  return { ...state, tiles };
}

function unlinked(state: LiveState, now: number, random: number): LiveState {
  if (state.link.kind === "down") return state;
  const until = now + backoff_ms(state.linkAttempt, random);
  const after: LiveState = { ...state, link: { kind: "waiting", until }, linkAttempt: state.linkAttempt + 1 };
  return each(after, (tile) =>
    tile.state.kind === "refused" || tile.state.kind === "idle"
      ? tile
      : { ...tile, key: "", state: { kind: "waiting", reason: fr.wall.link, until } },
  );
}

function tickets(
  state: LiveState, keys: readonly string[], results: readonly TicketResult[], now: number, effects: Effect[],
): LiveState {
  const byKey = new Map(keys.map((key, i) => [key, results[i]]));
  return each(state, (tile) => {
    const result = byKey.get(tile.key);
    if (result === undefined || tile.state.kind !== "asking") return tile;
    if ("refused" in result) {
      effects.push({ kind: "blank", tile: tile.wanted.tile });
      const { code, reason } = result.refused;
      return { ...tile, state: { kind: "refused", code, reason, cut: false } };
    }
    effects.push({ kind: "send", message: { type: "open", ticket: result.ticket, tile: tile.key } });
    return { ...tile, state: { kind: "opening", since: now } };
  });
}

function message(
  state: LiveState, said: ServerMessage, now: number, random: () => number, effects: Effect[],
): LiveState {
  if (said.type === "opened") {
    if (!state.tiles.some((tile) => tile.key === said.tile && tile.state.kind === "opening")) {
      effects.push({ kind: "send", message: { type: "close", channel: said.channel } });
      return state;
    }
    const live = { kind: "live", channel: said.channel, mime: said.mime, since: now, skipped: 0, lost: null } as const;
    return each(state, (tile) => (tile.key === said.tile ? { ...tile, state: live } : tile));
  }
  if (said.type === "refused") {
    return each(state, (tile) => (tile.key === said.tile ? ended(tile, said, false, now, random(), effects) : tile));
  }
  return each(state, (tile) => {
    if (tile.state.kind !== "live" || tile.state.channel !== said.channel) return tile;
    switch (said.type) {
      case "skipped":
        return { ...tile, state: { ...tile.state, skipped: tile.state.skipped + said.frames } };
      case "lost":
        return { ...tile, state: { ...tile.state, lost: { fault: said.fault, reason: said.reason } } };
      case "back":
        return { ...tile, state: { ...tile.state, lost: null } };
      case "format":
        return { ...tile, state: { ...tile.state, mime: said.mime, lost: null } };
      case "closed":
        return ended(tile, said, true, now, random(), effects);
    }
  });
}

function ended(
  tile: Tile, said: { code: string; reason: string }, cut: boolean, now: number, random: number, effects: Effect[],
): Tile {
  const settled = tile.state.kind === "live" && now - tile.state.since > SETTLED_MS;
  const counted = settled ? { ...tile, attempt: 0 } : tile;
  if (PASSING_ENDS.has(said.code)) return waiting(counted, said.reason || fr.wall.link, now, random);
  effects.push({ kind: "blank", tile: tile.wanted.tile });
  return { ...counted, key: "", state: { kind: "refused", code: said.code, reason: said.reason, cut } };
}

function waiting(tile: Tile, reason: string, now: number, random: number): Tile {
  const until = now + backoff_ms(tile.attempt, random);
  return { ...tile, key: "", attempt: tile.attempt + 1, state: { kind: "waiting", reason, until } };
}

/** The same state when no tile changed, so that watchers are not woken for nothing. */
function each(state: LiveState, change: (tile: Tile) => Tile): LiveState {
  const tiles = state.tiles.map(change);
  return tiles.every((tile, i) => tile === state.tiles[i]) ? state : { ...state, tiles };
}
