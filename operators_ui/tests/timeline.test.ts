import { describe, expect, it } from "vitest";
import { HOUR_MS, MINUTE_MS, age, clock, dayAndClock, duration, exactClock, hourLabel, localMidnight, localOffset_ms, preciseClock } from "../src/lib/time";
import * as scale from "../src/timeline/scale";
import { rows } from "../src/timeline/rows";

const at = (iso: string): number => Date.parse(iso);
const AUTUMN = at("2026-10-25T00:00:00Z"); // 02:00 in Paris, an hour before the clocks go back
const NOW = at("2026-11-23T14:00:00Z");

describe("local time", () => {
  it("is that of Paris", () => {
    expect(clock(NOW)).toBe("15:00:00");
    expect(dayAndClock(NOW)).toBe("23/11/2026 15:00:00");
    expect(localOffset_ms(at("2026-07-01T00:00:00Z"))).toBe(2 * HOUR_MS);
    expect(localOffset_ms(at("2026-07-01T00:00:00.250Z"))).toBe(2 * HOUR_MS);
  });

  it("tells the two readings of the repeated hour apart", () => {
    expect(hourLabel(AUTUMN)).toBe("02:00 (été)");
    expect(hourLabel(AUTUMN + HOUR_MS)).toBe("02:00 (hiver)");
    expect(hourLabel(AUTUMN + 2 * HOUR_MS)).toBe("03:00");
    expect(hourLabel(AUTUMN - HOUR_MS)).toBe("01:00");
    expect(preciseClock(AUTUMN + 1_250)).toBe("02:00:01,2 (été)");
    expect(exactClock(AUTUMN + 1_050.6)).toBe("02:00:01,050 (été)");
  });

  it("finds midnight on days of 23, 24 and 25 hours", () => {
    expect(localMidnight(at("2026-10-25T20:00:00Z"))).toBe(at("2026-10-24T22:00:00Z"));
    expect(localMidnight(at("2026-03-29T20:00:00Z"))).toBe(at("2026-03-28T23:00:00Z"));
    expect(scale.hoursOfDay(at("2026-10-25T12:00:00Z"))).toBe(25);
    expect(scale.hoursOfDay(at("2026-03-29T12:00:00Z"))).toBe(23);
    expect(scale.hoursOfDay(NOW)).toBe(24);
  });

  it("says durations short", () => {
    expect([age(340), age(-5), age(12_000), age(250_000)]).toEqual(["0,3 s", "0,0 s", "12 s", "4 min 10 s"]);
    expect([duration(60_000), duration(7_500_000)]).toEqual(["1 min", "2 h 05"]);
  });
});

describe("window", () => {
  const window = { from: NOW - HOUR_MS, to: NOW };

  it("maps instants to pixels and back", () => {
    expect(scale.xOf(window, NOW - HOUR_MS / 2, 800)).toBe(400);
    expect(scale.timeAt(window, 200, 800)).toBe(NOW - 45 * MINUTE_MS);
  });

  it("zooms around its anchor, between ten minutes and a long day", () => {
    const anchor = NOW - 30 * MINUTE_MS;
    const near = scale.zoom(window, 0.5, anchor, NOW);
    expect(scale.span(near)).toBe(30 * MINUTE_MS);
    expect(scale.xOf(near, anchor, 100)).toBeCloseTo(50);
    expect(scale.span(scale.zoom(window, 0.001, anchor, NOW))).toBe(scale.NARROWEST_MS);
    expect(scale.span(scale.zoom(window, 1_000, anchor, NOW))).toBe(scale.WIDEST_MS);
  });

  it("never goes far beyond now", () => {
    const moved = scale.pan(window, 5 * HOUR_MS, NOW);
    expect(moved.to - NOW).toBeCloseTo(0.04 * HOUR_MS);
    expect(scale.span(moved)).toBe(HOUR_MS);
  });

  it("moves no more than needed to show an instant", () => {
    expect(scale.showing(window, NOW - 10 * MINUTE_MS, NOW)).toBe(window);
    const moved = scale.showing(window, NOW - 2 * HOUR_MS, NOW);
    expect(moved.from).toBeLessThan(NOW - 2 * HOUR_MS);
  });

  it("asks for the same stretch while it moves a little", () => {
    const first = scale.loaded(window);
    expect(first.from).toBeLessThanOrEqual(window.from);
    expect(first.to).toBeGreaterThanOrEqual(window.to);
    const later = { from: window.from + 1_000, to: window.to + 1_000 };
    expect(scale.loaded(later)).toEqual(first);
  });
});

describe("marks", () => {
  it("lie at round local times and apart", () => {
    const found = scale.marks({ from: NOW - HOUR_MS, to: NOW }, 1_000);
    expect(found.map((mark) => mark.label)).toContain("14:30");
    const gaps = found.slice(1).map((mark, i) => mark.at - (found[i]?.at ?? 0));
    expect(Math.min(...gaps) / HOUR_MS * 1_000).toBeGreaterThanOrEqual(96);
  });

  it("show the 25-hour day with both its third hours", () => {
    const day = { from: at("2026-10-24T22:00:00Z"), to: at("2026-10-25T23:00:00Z") };
    const found = scale.marks(day, 4_000);
    expect(found).toHaveLength(26);
    expect(found.filter((mark) => mark.label.startsWith("02:00")).map((mark) => mark.label)).toEqual(["02:00 (été)", "02:00 (hiver)"]);
    expect(found.filter((mark) => mark.isDay).map((mark) => mark.label)).toEqual(["dimanche 25 octobre", "lundi 26 octobre"]);
  });

  it("stay at local hours that divide across the change", () => {
    const found = scale.marks({ from: at("2026-10-24T22:00:00Z"), to: at("2026-10-25T23:00:00Z") }, 800);
    expect(found.map((mark) => mark.label)).toEqual([
      "dimanche 25 octobre", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "lundi 26 octobre",
    ]);
  });
});

it("lists runs, gaps and announcements together, newest first, within the window", () => {
  const data = {
    from: 0, to: 100, now: 100,
    runs: [{ from: 0, to: 40 }, { from: 50, to: 100 }],
    gaps: [{ from: 40, to: 50, cause: "network", reason: "Réseau" }],
    interruptions: [{ from: 45, to: 60, cause: "planned" }],
  };
  expect(rows(data, { from: 30, to: 60 }).map((row) => [row.kind, row.from])).toEqual([
    ["run", 50], ["announced", 45], ["gap", 40], ["run", 0],
  ]);
  expect(rows(data, { from: 60, to: 70 })).toHaveLength(1);
});
