import { describe, expect, it } from "vitest";
import { EMPTY, step, type Effect, type LiveEvent, type LiveState } from "../src/live/session-state";
import type { TicketResult } from "../src/api/types";
import { knownRefusal } from "../src/wall/layout";

const steady = (): number => 1;

/** Plays events one after the other; remembers every effect. */
class Play {
  state: LiveState = EMPTY;
  now = 1_000;
  effects: Effect[] = [];

  say(event: LiveEvent): this {
    const [state, effects] = step(this.state, event, this.now, steady);
    this.state = state;
    this.effects.push(...effects);
    return this;
  }

  want(...cameras: string[]): this {
    return this.say({ kind: "want", wanted: cameras.map((camera, i) => ({ tile: `t${i}`, camera, stream: "sub", refusal: null })) });
  }

  asks(): readonly (readonly string[])[] {
    return this.effects.flatMap((effect) => (effect.kind === "ask" ? [effect.tiles.map((tile) => tile.key)] : []));
  }

  sent(): unknown[] {
    return this.effects.flatMap((effect) => (effect.kind === "send" ? [effect.message] : []));
  }

  grant(...results: TicketResult[]): this {
    return this.say({ kind: "tickets", keys: this.asks().at(-1) ?? [], results });
  }

  opened(index: number, channel: number): this {
    const tile = this.state.tiles[index];
    return this.say({ kind: "message", message: { type: "opened", tile: tile?.key ?? "", channel, mime: "avc1" } });
  }

  kinds(): string[] {
    return this.state.tiles.map((tile) => tile.state.kind);
  }
}

const ticket = (camera: string): TicketResult => ({ camera, ticket: `ticket-${camera}` });
const refused = (camera: string): TicketResult => ({ camera, refused: { code: "CONVENTION_MISSING", reason: "Aucune convention." } });
const live = (...cameras: string[]): Play => {
  const play = new Play().want(...cameras).say({ kind: "linked" }).grant(...cameras.map(ticket));
  cameras.forEach((_, i) => play.opened(i, i + 1));
  return play;
};

describe("opening the wall", () => {
  it("connects first, then asks all tickets in one request", () => {
    const play = new Play().want("a", "b", "c");
    expect(play.effects).toEqual([{ kind: "connect" }]);
    play.say({ kind: "linked" });
    expect(play.asks()).toEqual([["t0#1", "t1#2", "t2#3"]]);
  });

  it("shows a refusal in its tile while the others open", () => {
    const play = new Play().want("a", "b").say({ kind: "linked" }).grant(ticket("a"), refused("b"));
    expect(play.kinds()).toEqual(["opening", "refused"]);
    expect(play.sent()).toEqual([{ type: "open", ticket: "ticket-a", tile: "t0#1" }]);
    expect(play.effects.at(-1)).toEqual({ kind: "blank", tile: "t1" });
  });

  it("keeps what did not change and closes what left", () => {
    const play = live("a", "b").want("a");
    expect(play.kinds()).toEqual(["live"]);
    expect(play.sent().at(-1)).toEqual({ type: "close", channel: 2 });
    expect(play.asks()).toHaveLength(1);
  });

  it("opens anew when a tile gets another stream", () => {
    const play = live("a").say({ kind: "want", wanted: [{ tile: "t0", camera: "a", stream: "main", refusal: null }] });
    expect(play.kinds()).toEqual(["asking"]);
    expect(play.sent().at(-1)).toEqual({ type: "close", channel: 1 });
  });

  it("does not ask again for a refused camera when only the stream changes", () => {
    const play = new Play().want("a").say({ kind: "linked" }).grant(refused("a"));
    play.say({ kind: "want", wanted: [{ tile: "t0", camera: "a", stream: "main", refusal: null }] });
    expect(play.kinds()).toEqual(["refused"]);
  });

  it("ends the link when nothing is wanted", () => {
    const play = live("a").want();
    expect(play.effects.at(-1)).toEqual({ kind: "disconnect" });
    expect(play.state.link.kind).toBe("down");
  });

  it("throws away tickets of an earlier try", () => {
    const play = new Play().want("a").say({ kind: "linked" });
    const late = play.asks().at(-1) ?? [];
    play.want("b").say({ kind: "tickets", keys: late, results: [ticket("a")] });
    expect(play.kinds()).toEqual(["asking"]);
    expect(play.sent()).toEqual([]);
  });

  it("closes a channel that opened too late", () => {
    const play = live("a").say({ kind: "message", message: { type: "opened", tile: "t9#9", channel: 9, mime: "avc1" } });
    expect(play.sent().at(-1)).toEqual({ type: "close", channel: 9 });
  });
});

describe("what goes wrong", () => {
  it("a cut right removes the picture and stays refused", () => {
    const play = live("a").say({ kind: "message", message: { type: "closed", channel: 1, code: "RIGHT_WITHDRAWN", reason: "Retiré." } });
    expect(play.state.tiles[0]?.state).toEqual({ kind: "refused", code: "RIGHT_WITHDRAWN", reason: "Retiré.", cut: true });
    expect(play.effects.at(-1)).toEqual({ kind: "blank", tile: "t0" });
    play.now += 3_600_000;
    play.say({ kind: "tick" }).say({ kind: "unlinked" }).say({ kind: "linked" });
    expect(play.kinds()).toEqual(["refused"]);
    expect(play.asks()).toHaveLength(1);
  });

  it("asks again for a refused tile when the person wants it, and only for a refused or waiting one", () => {
    const play = live("a", "b").say({ kind: "message", message: { type: "closed", channel: 1, code: "NOT_HABILITE", reason: "" } });
    play.say({ kind: "again", tiles: ["t0", "t1"] });
    expect(play.kinds()).toEqual(["asking", "live"]);
    expect(play.asks()).toHaveLength(2);
  });

  it("asks again by itself after a passing end, with growing waits", () => {
    const play = live("a");
    const waits: number[] = [];
    for (let round = 0; round < 3; round++) {
      play.say({ kind: "message", message: { type: "closed", channel: 1, code: "SHUTTING_DOWN", reason: "Arrêt." } });
      const state = play.state.tiles[0]?.state;
      expect(state?.kind).toBe("waiting");
      if (state?.kind !== "waiting") return;
      waits.push(state.until - play.now);
      play.now = state.until;
      play.say({ kind: "tick" }).grant(ticket("a")).opened(0, 1);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000]);
    expect(play.kinds()).toEqual(["live"]);
  });

  it("starts the waits anew after a picture that lasted", () => {
    const play = live("a").say({ kind: "message", message: { type: "closed", channel: 1, code: "FAILURE", reason: "" } });
    play.now += 1_000;
    play.say({ kind: "tick" }).grant(ticket("a")).opened(0, 1);
    play.now += 60_000;
    play.say({ kind: "message", message: { type: "closed", channel: 1, code: "FAILURE", reason: "" } });
    const state = play.state.tiles[0]?.state;
    expect(state?.kind === "waiting" && state.until - play.now).toBe(1_000);
  });

  it("reopens every tile in one request after the link was lost", () => {
    const play = live("a", "b").say({ kind: "unlinked" });
    expect(play.kinds()).toEqual(["waiting", "waiting"]);
    play.now += 1_000;
    play.say({ kind: "tick" });
    expect(play.effects.at(-1)).toEqual({ kind: "connect" });
    play.say({ kind: "linked" });
    expect(play.asks().at(-1)).toHaveLength(2);
  });

  it("waits longer for each try of the link", () => {
    const play = new Play().want("a").say({ kind: "unlinked" });
    expect(play.state.link).toEqual({ kind: "waiting", until: 2_000 });
    play.now = 2_000;
    play.say({ kind: "tick" }).say({ kind: "unlinked" });
    expect(play.state.link).toEqual({ kind: "waiting", until: 4_000 });
  });

  it("gives up an opening that is never answered", () => {
    const play = new Play().want("a").say({ kind: "linked" }).grant(ticket("a"));
    play.now += 8_001;
    play.say({ kind: "tick" });
    expect(play.kinds()).toEqual(["waiting"]);
  });

  it("waits when the centre gives no answer, and shows its refusal when it gives one", () => {
    const play = new Play().want("a", "b").say({ kind: "linked" });
    const [first, second] = play.asks().at(-1) ?? [];
    play.say({ kind: "no-tickets", keys: [first ?? ""], reason: "Panne.", code: null });
    play.say({ kind: "no-tickets", keys: [second ?? ""], reason: "Non.", code: "NOPE" });
    expect(play.kinds()).toEqual(["waiting", "refused"]);
  });

  it("tells a lost camera from a lost right, and counts skipped pictures", () => {
    const play = live("a").say({ kind: "message", message: { type: "lost", channel: 1, fault: "timeout", reason: "Muette." } });
    play.say({ kind: "message", message: { type: "skipped", channel: 1, frames: 12 } });
    play.say({ kind: "message", message: { type: "skipped", channel: 1, frames: 3 } });
    expect(play.state.tiles[0]?.state).toMatchObject({ kind: "live", skipped: 15, lost: { reason: "Muette." } });
    play.say({ kind: "message", message: { type: "back", channel: 1 } });
    expect(play.state.tiles[0]?.state).toMatchObject({ kind: "live", lost: null });
  });

  it("starts a failed player again", () => {
    const play = live("a").say({ kind: "player-failed", tile: "t0" });
    expect(play.kinds()).toEqual(["waiting"]);
    expect(play.sent().at(-1)).toEqual({ type: "close", channel: 1 });
  });

  it("leaves the state untouched when nothing changes", () => {
    const play = live("a");
    const before = play.state;
    expect(play.say({ kind: "tick" }).state).toBe(before);
  });
});

describe("what the inventory tells of rights", () => {
  const convention = { code: "CONVENTION_MISSING", reason: "Aucune convention." };
  const both = (refusal: typeof convention | null): LiveEvent => ({
    kind: "want", wanted: [{ tile: "t0", camera: "a", stream: "sub", refusal: null }, { tile: "t1", camera: "b", stream: "sub", refusal }],
  });
  it("is shown without asking the centre, whose answer would be an entry of the journal", () => {
    const play = new Play().say(both(convention)).say({ kind: "linked" });
    expect(play.asks()).toEqual([["t0#1"]]);
    expect(play.state.tiles[1]?.state).toEqual({ kind: "refused", ...convention, cut: false });
    play.say({ kind: "again", tiles: null });
    expect(play.asks()).toHaveLength(1);
  });
  it("is asked of the centre all the same when the person asks", () => {
    const play = new Play().say(both(convention)).say({ kind: "linked" }).say({ kind: "again", tiles: ["t1"] });
    expect(play.asks()).toEqual([["t0#1"], ["t1#2"]]);
  });
  it("opens nothing by itself when it changes, and cuts nothing: the gateway does", () => {
    const play = new Play().say(both(convention)).say({ kind: "linked" }).say(both(null));
    expect(play.kinds()).toEqual(["asking", "refused"]);
    expect(live("a", "b").say(both(convention)).kinds()).toEqual(["live", "live"]);
  });
  it("opens no link where nothing may be seen", () => {
    const play = new Play().say({ kind: "want", wanted: [{ tile: "t0", camera: "a", stream: "sub", refusal: convention }] });
    expect([play.effects, play.state.link.kind]).toEqual([[], "down"]);
  });
  it("is not taken for what another motif may open", () => {
    const camera = (code: string): Parameters<typeof knownRefusal>[0] => ({ live: { allowed: false, code, reason: "Non." } });
    expect(knownRefusal(camera("CONVENTION_MISSING"))).toEqual({ code: "CONVENTION_MISSING", reason: "Non." });
    expect(knownRefusal(camera("FINALITE_NOT_AUTHORISED"))).toBeNull();
    expect(knownRefusal({ live: { allowed: true, code: null, reason: null } })).toBeNull();
  });
});
