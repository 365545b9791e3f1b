import { describe, expect, it, vi } from "vitest";
import { Api, type Fetch } from "../src/api/client";
import type { Plan } from "../src/api/types";
import { intervalFrom, nextRecorded, REPLAY_MS, resumed } from "../src/replay/interval";
import { clipAt, gapBefore, mediaAt, wallAt } from "../src/replay/plan";
import { ReplayController } from "../src/replay/replay-controller";
import { MOST_FRAMES, MOST_STRETCHES, Steps } from "../src/replay/steps";

const PLAN: Plan = {
  from: 0, to: 100_000, duration_s: 60,
  items: [
    { kind: "gap", from: 0, to: 10_000, cause: "network", reason: null },
    { kind: "clip", from: 10_000, to: 40_000, media_from_s: 0, media_to_s: 30 },
    { kind: "gap", from: 40_000, to: 60_000, cause: "camera", reason: null },
    { kind: "clip", from: 60_000, to: 90_000, media_from_s: 30, media_to_s: 60 },
    { kind: "gap", from: 90_000, to: 100_000, cause: "ours", reason: null },
  ],
};

describe("plan", () => {
  it("maps the film's time to the wall clock over a gap", () => {
    expect([0, 15, 29.99, 30, 60, 99].map((media) => wallAt(PLAN, media))).toEqual([10_000, 25_000, 39_990, 60_000, 90_000, 90_000]);
  });

  it("maps the wall clock to the film, past a gap", () => {
    expect([0, 10_000, 25_000, 50_000, 75_000, 99_000].map((at) => mediaAt(PLAN, at))).toEqual([0, 0, 15, 30, 45, 60]);
  });

  it("is its own inverse inside clips", () => {
    for (let media = 0; media < 60; media += 0.04) expect(mediaAt(PLAN, wallAt(PLAN, media) ?? -1)).toBeCloseTo(media, 6);
  });

  it("knows which gap is crossed before each clip, and after the last", () => {
    expect([0, 1, 2].map((clip) => gapBefore(PLAN, clip)?.cause)).toEqual(["network", "camera", "ours"]);
    expect([clipAt(PLAN, 29.9), clipAt(PLAN, 30)]).toEqual([0, 1]);
    const joined: Plan = { ...PLAN, items: PLAN.items.filter((item) => item.kind === "clip") };
    expect([0, 1, 2].map((clip) => gapBefore(joined, clip))).toEqual([null, null, null]);
  });

  it("has no instant without any clip", () => {
    const empty: Plan = { ...PLAN, duration_s: 0, items: PLAN.items.slice(0, 1) };
    expect([wallAt(empty, 0), mediaAt(empty, 5), clipAt(empty, 0)]).toEqual([null, 0, -1]);
    expect(gapBefore(empty, 0)?.cause).toBe("network");
  });
});

describe("interval", () => {
  it("is ten minutes, or up to what is on the disk", () => {
    expect(intervalFrom(0, 10 * REPLAY_MS)).toEqual({ from: 0, to: REPLAY_MS });
    expect(intervalFrom(40_000, 100_000)).toEqual({ from: 40_000, to: 97_000 });
    expect(intervalFrom(97_000, 100_000)).toBeNull();
  });

  it("is asked for again from the picture that was shown last, if it is one of it", () => {
    const interval = { from: 10_000, to: 70_000 };
    expect(resumed(interval, 42_000.4)).toEqual({ from: 42_000, to: 70_000 });
    for (const elsewhere of [null, 9_000, 10_000, 69_500, 90_000]) expect(resumed(interval, elsewhere)).toEqual(interval);
  });

  it("goes on where the camera recorded again", () => {
    const runs = [{ from: 0, to: 50_000 }, { from: 9_000_000, to: 9_100_000 }];
    expect(nextRecorded(runs, 20_000)).toBe(20_000);
    expect(nextRecorded(runs, 49_500)).toBe(9_000_000);
    expect(nextRecorded(runs, 9_100_000)).toBeNull();
  });
});

interface Call {
  readonly url: string;
  readonly method: string;
  readonly body: unknown;
}

/** A centre and a gateway that answer from a list, in order. */
function centre(answers: readonly (readonly [number, unknown])[]): { fetcher: Fetch; calls: Call[] } {
  const calls: Call[] = [];
  const left = [...answers];
  const fetcher: Fetch = (url, init) => {
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
    calls.push({ url, method: init.method ?? "GET", body });
    const [status, answer] = left.shift() ?? [200, {}];
    return Promise.resolve(new Response(JSON.stringify(answer), { status }));
  };
  return { fetcher, calls };
}

const lease = (id: string): readonly [number, unknown] => [
  201, { lease: id, url: `/playback/${id}/video.mp4`, mime: "video/mp4", plan: { from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:01:00Z", duration_s: 0, items: [] } },
];
const granted: readonly [number, unknown] = [200, { results: [{ camera: "cam", ticket: "secret" }] }];
const refusal = (code: string): readonly [number, unknown] => [200, { results: [{ camera: "cam", refused: { code, reason: "Non." } }] }];
const controllerOf = (answers: readonly (readonly [number, unknown])[]) => {
  const { fetcher, calls } = centre(answers);
  return { calls, controller: new ReplayController(new Api(fetcher), fetcher, "http://gw", "cam") };
};
const MOTIF = { code: "INTERVENTION", reference: "2026-12" };

describe("replay", () => {
  it("asks for the reason once, and for a ticket each time", async () => {
    const { controller, calls } = controllerOf([granted, lease("one"), [200, {}], granted, lease("two")]);
    await controller.want({ from: 0, to: 60_000 });
    expect(controller.state.get().kind).toBe("motif");
    await controller.give(MOTIF);
    expect(controller.state.get()).toMatchObject({ kind: "playing", url: "http://gw/playback/one/video.mp4" });
    await controller.want({ from: 60_000, to: 120_000 });
    expect(controller.state.get()).toMatchObject({ kind: "playing", url: "http://gw/playback/two/video.mp4" });
    expect(calls.map((call) => `${call.method} ${call.url}`)).toEqual([
      "POST /api/tickets", "POST http://gw/playback", "DELETE http://gw/playback/one", "POST /api/tickets", "POST http://gw/playback",
    ]);
    expect(calls[3]?.body).toEqual({
      requests: [{ camera: "cam", act: "replay", from: "1970-01-01T00:01:00.000Z", to: "1970-01-01T00:02:00.000Z", motif: MOTIF }],
    });
  });

  it.each(["MOTIF_REQUIRED", "PLATE_FORBIDDEN", "REFERENCE_REFUSED"])("asks again for %s, a fault of the reason itself, and not when the right is missing", async (code) => {
    const { controller } = controllerOf([refusal(code), refusal("NOT_HABILITE")]);
    await controller.want({ from: 0, to: 60_000 });
    await controller.give(MOTIF);
    expect(controller.state.get()).toMatchObject({ kind: "motif", problem: { code }, given: expect.objectContaining({ code: expect.any(String) as string }) as object });
    await controller.give(MOTIF);
    expect(controller.state.get()).toMatchObject({ kind: "stopped", problem: { code: "NOT_HABILITE" } });
  });

  it("shows the gateway's refusal", async () => {
    const { controller } = controllerOf([granted, [409, { code: "NOTHING_RECORDED", reason: "Rien." }]]);
    await controller.want({ from: 0, to: 60_000 });
    await controller.give(MOTIF);
    expect(controller.state.get()).toMatchObject({ kind: "stopped", problem: { code: "NOTHING_RECORDED" } });
  });

  it("ends the picture when the lease has ended, and only then", async () => {
    const clip = { kind: "clip", from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:01:00Z", media_from_s: 0, media_to_s: 60 };
    const [status, body] = lease("one");
    const film = { ...Object(body), plan: { from: clip.from, to: clip.to, duration_s: 60, items: [clip] } };
    const { controller, calls } = controllerOf([granted, [status, film], [206, 0], [503, {}], [404, { code: "LEASE_UNKNOWN", reason: "Fini." }]]);
    await controller.want({ from: 0, to: 60_000 });
    await controller.give(MOTIF);
    await controller.check();
    await controller.check();
    expect(controller.state.get().kind).toBe("playing");
    await controller.check();
    expect(controller.state.get()).toMatchObject({ kind: "stopped", problem: { code: "LEASE_UNKNOWN" } });
    expect(calls.slice(2).map((call) => call.url)).toEqual(Array(3).fill("http://gw/playback/one/video.mp4"));
  });

  it("gives back a lease that comes after the person has left", async () => {
    const { controller, calls } = controllerOf([granted, lease("late")]);
    await controller.want({ from: 0, to: 60_000 });
    const opening = controller.give(MOTIF);
    controller.backToLive();
    await opening;
    expect(controller.state.get().kind).toBe("live");
    expect(calls.at(-1)).toMatchObject({ method: "DELETE", url: "http://gw/playback/late" });
  });
});

describe("steps", () => {
  it("are stretches, from the earliest picture to the latest, broken by playing or seeking", () => {
    const steps = new Steps();
    expect(steps.take()).toEqual([]);
    for (const at of [1_000, 1_040, 1_080, 1_040]) steps.step(at);
    steps.leave();
    steps.step(9_000);
    expect(steps.take()).toEqual([{ from: 1_000, to: 1_080, frames: 4 }, { from: 9_000, to: 9_000, frames: 1 }]);
    expect(steps.isEmpty).toBe(true);
  });

  it("are told once, those that could not be told with the next", () => {
    const steps = new Steps();
    steps.step(1_000);
    const untold = steps.take();
    steps.step(1_040);
    steps.giveBack(untold);
    steps.step(1_080);
    expect(steps.take()).toEqual([{ from: 1_000, to: 1_000, frames: 1 }, { from: 1_040, to: 1_040, frames: 1 }, { from: 1_080, to: 1_080, frames: 1 }]);
  });

  it("stay within what the gateway takes", () => {
    const steps = new Steps();
    for (let n = 0; n <= MOST_FRAMES; n++) steps.step(n);
    for (let n = 0; n < MOST_STRETCHES; n++) {
      steps.leave();
      steps.step(n);
    }
    expect(steps.take().map((one) => one.frames)).toEqual([MOST_FRAMES, ...Array<number>(MOST_STRETCHES - 1).fill(1)]);
    expect(steps.take()).toHaveLength(2);
  });

  const playing = async (answers: readonly (readonly [number, unknown])[]) => {
    const { controller, calls } = controllerOf([granted, lease("one"), ...answers]);
    await controller.want({ from: 0, to: 60_000 });
    await controller.give(MOTIF);
    const state = controller.state.get();
    if (state.kind !== "playing") throw new Error(state.kind);
    return { controller, steps: state.steps, told: () => calls.slice(2) };
  };

  it("are told to the gateway while the replay lasts, and the rest before the lease is given back", async () => {
    const { controller, steps, told } = await playing([[200, {}], [200, {}], [200, {}]]);
    await controller.tell();
    expect(told()).toEqual([]);
    steps.step(1_000);
    steps.step(1_040);
    await controller.tell();
    steps.step(2_000);
    controller.backToLive();
    await vi.waitFor(() => expect(told()).toHaveLength(3));
    const url = "http://gw/playback/one/stepped";
    const stretch = (from: string, to: string, frames: number) => ({ stepped: [{ from: `1970-01-01T00:00:0${from}Z`, to: `1970-01-01T00:00:0${to}Z`, frames }] });
    expect(told()).toEqual([
      { url, method: "POST", body: stretch("1.000", "1.040", 2) },
      { url, method: "POST", body: stretch("2.000", "2.000", 1) },
      { url: "http://gw/playback/one", method: "DELETE", body: null },
    ]);
  });

  it("are told again after a gateway that did not answer, not after one that refused", async () => {
    const { controller, steps, told } = await playing([[502, "?"], [400, { code: "STEPS_REFUSED", reason: "Non." }]]);
    steps.step(1_000);
    await controller.tell();
    await controller.tell();
    await controller.tell();
    expect(told().map((call) => call.method)).toEqual(["POST", "POST"]);
    expect(controller.state.get().kind).toBe("playing");
  });
});
