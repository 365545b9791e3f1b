import { describe, expect, it } from "vitest";
import type { Camera } from "../src/api/types";
import { follow, trim } from "../src/live/edge";
import { backoff_ms } from "../src/lib/backoff";
import { digitOf } from "../src/lib/keys";
import { grouped } from "../src/wall/inventory";
import * as layout from "../src/wall/layout";
import { phaseOf } from "../src/wall/phase";

const camera = (id: string, number: string, name: string, commune: string, insee: string): Camera => ({
  id, number, name, commune: { insee, name: commune }, site: null, state: "recording", fault: null, fault_reason: null,
  since: null, last_frame_at: null, streams: ["main", "sub"],
  interruption: null, live: { allowed: true, code: null, reason: null }, replay: { allowed: true, code: null, reason: null },
});
const CAMERAS = [
  camera("a", "10", "Église", "Évreux", "27229"), camera("b", "2", "Quai", "Vernon", "27681"), camera("c", "9", "Mairie", "Évreux", "27229"),
];

describe("layout", () => {
  const wall: layout.Wall = { layout: 4, slots: ["a", "b", "c", null, "d"], focus: 0 };

  it("moves among the tiles of a page and stops at its edges", () => {
    const walk = (keys: layout.Move[]): number => keys.reduce(layout.move, wall).focus;
    expect(walk(["ArrowRight"])).toBe(1);
    expect(walk(["ArrowRight", "ArrowRight", "ArrowDown"])).toBe(3);
    expect(walk(["ArrowUp", "ArrowLeft"])).toBe(0);
  });

  it("shows the page that holds the focus, whatever the number of tiles", () => {
    const second = layout.turnPage(wall, 1);
    expect(layout.shown(second)).toEqual([4, 5, 6, 7]);
    expect(layout.pages(wall)).toBe(2);
    expect(layout.turnPage(second, 1)).toEqual(second);
    expect(layout.shown(layout.withLayout(layout.withFocus(wall, 2), 1))).toEqual([2]);
    expect(layout.shown(layout.withLayout(second, 9))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("asks again for a tile with all of the page that are open again, and for none that would be refused", () => {
    const isOpen = (one: string): boolean => one !== "b";
    expect(layout.askedWith(wall, 0, isOpen)).toEqual([0, 2]);
    expect(layout.askedWith(wall, 1, isOpen)).toEqual([0, 1, 2]);
  });

  it("swaps a camera that is already shown", () => {
    expect(layout.assign(wall, 3, "a").slots).toEqual([null, "b", "c", "a", "d"]);
    expect(layout.assign(wall, 0, "b").slots).toEqual(["b", "a", "c", null, "d"]);
    expect(layout.assign(wall, 0, null).slots[0]).toBeNull();
    expect(layout.assign({ ...wall, slots: [] }, 2, "z").slots).toEqual([null, null, "z"]);
  });

  it("lays out the whole inventory at first, refused cameras included, and forgets what is no longer in it", () => {
    const refused = { ...CAMERAS[1], live: { allowed: false, code: "CONVENTION_MISSING", reason: "Non." } } as Camera;
    expect(layout.reconcile(layout.EMPTY_WALL, [CAMERAS[0] as Camera, refused])).toEqual({ layout: 4, slots: ["a", "b"], focus: 0 });
    expect(layout.reconcile(wall, CAMERAS).slots).toEqual(["a", "b", "c", null, null]);
  });

  it("keeps the arrangement over a change of agent, and survives a broken one", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    layout.save(storage, wall);
    expect(layout.load(storage)).toEqual(wall);
    for (const broken of ["{", "null", '{"layout":5,"slots":[],"focus":0}', '{"layout":4,"slots":[1],"focus":0}']) {
      kept.set("csu.wall", broken);
      expect(layout.load(storage)).toEqual(layout.EMPTY_WALL);
    }
  });

  it("takes the main stream for large tiles only", () => {
    expect(layout.streamFor(1_900, ["main", "sub"])).toBe("main");
    expect(layout.streamFor(640, ["main", "sub"])).toBe("sub");
    expect(layout.streamFor(640, ["main"])).toBe("main");
  });
});

it("finds cameras by words without accents, grouped by commune in French order", () => {
  expect(grouped(CAMERAS, "").map((group) => [group.name, ...group.cameras.map((one) => one.id)])).toEqual([["Évreux", "c", "a"], ["Vernon", "b"]]);
  expect(grouped(CAMERAS, "eglise evreux").flatMap((group) => group.cameras.map((one) => one.id))).toEqual(["a"]);
  expect(grouped(CAMERAS, "nulle part")).toEqual([]);
});

it("tells what a tile shows from its state and the picture's age", () => {
  const live = { kind: "live", channel: 1, mime: "", since: 0, skipped: 0, lost: null } as const;
  expect(phaseOf(null, null)).toBe("empty");
  expect(phaseOf({ kind: "asking" }, null)).toBe("opening");
  expect(phaseOf({ kind: "opening", since: 0 }, 5_000)).toBe("waiting");
  expect(phaseOf(live, null)).toBe("opening");
  expect(phaseOf(live, 3_000)).toBe("live");
  expect(phaseOf(live, 3_001)).toBe("stale");
  expect(phaseOf({ ...live, lost: { fault: "", reason: "" } }, 100)).toBe("lost");
  expect(phaseOf({ kind: "waiting", reason: "", until: 0 }, 100)).toBe("waiting");
  expect(phaseOf({ kind: "refused", code: "", reason: "", cut: true }, 100)).toBe("refused");
});

describe("live edge", () => {
  const range = [{ start_s: 100, end_s: 110 }];

  it("plays on at the edge", () => expect(follow(109.85, null, range, 109.96)).toEqual({ seek_s: null, rate: 1 }));
  it("hurries when a little behind, slows when it would run dry", () => {
    expect(follow(109.4, null, range, 109.96).rate).toBe(1.25);
    expect(follow(109.7, null, range, 109.96).rate).toBe(1.06);
    expect(follow(109.97, null, range, 109.96).rate).toBe(0.97);
  });
  it("jumps when far behind or outside", () => {
    expect(follow(105, null, range, 109.96).seek_s).toBeCloseTo(109.88);
    expect(follow(0, null, range, 109.96).seek_s).toBeCloseTo(109.88);
    expect(follow(500, null, range, 109.96).seek_s).toBeCloseTo(109.88);
  });
  it("follows the newest fragment into an earlier range after a jump back", () => {
    const two = [{ start_s: 10, end_s: 12 }, ...range];
    expect(follow(109, null, two, 11.96).seek_s).toBeCloseTo(11.88);
  });
  it("leaves a clock that stands still while pictures go on, for a while", () => {
    expect(follow(105, 109.85, range, 109.96)).toEqual({ seek_s: null, rate: 1 });
    expect(follow(101, 109.85, range, 109.96).seek_s).toBeCloseTo(109.88);
  });
  it("does nothing while nothing is buffered", () => expect(follow(0, null, [], 5)).toEqual({ seek_s: null, rate: 1 }));

  it("trims what lies far behind", () => {
    expect(trim(105, range)).toBeNull();
    expect(trim(113, [{ start_s: 100, end_s: 114 }])).toEqual({ start_s: 100, end_s: 109 });
    expect(trim(5, [])).toBeNull();
  });
});

it("waits between one and thirty seconds, jittered", () => {
  expect([backoff_ms(0, 1), backoff_ms(3, 1), backoff_ms(50, 1)]).toEqual([1_000, 8_000, 30_000]);
  expect(backoff_ms(0, 0)).toBe(500);
});

it("reads digits by their place on the keyboard", () => {
  expect([digitOf("Digit4"), digitOf("Numpad9"), digitOf("KeyA")]).toEqual([4, 9, null]);
});
