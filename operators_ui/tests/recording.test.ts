import { describe, expect, it } from "vitest";
import type { Alarm, WaitingProposal } from "../src/api/types";
import { announcement } from "../src/lib/announcement";
import { balance, days, size } from "../src/recording/arithmetic";
import { fromLocal, toLocal } from "../src/recording/local-input";
import { sectionsOf } from "../src/recording/sections";
import { current, isAhead } from "../src/shell/alarm-order";
import { firstToConfirm, notices, sessionEndsSoon } from "../src/shell/banner";

const at = (iso: string): number => Date.parse(iso);

describe("sizes", () => {
  it.each([
    [0, "0 o"], [999, "999 o"], [1000, "1,00 ko"], [12_340, "12,3 ko"], [99_960, "100 ko"], [999_600, "1,00 Mo"],
    [1_500_000_000_000, "1,50 To"], [2e18, "2000 Po"], [-5, "0 o"],
  ])("%d is %s", (bytes, text) => expect(size(bytes)).toBe(text));
});

describe("the arithmetic of storage", () => {
  const pressure = { capacity_bytes: 1000, needed_bytes: 900, held_bytes: 200, bytes_per_day: 60, full_at: null };
  it("adds what deadlines and requisitions want, and says what is missing", () => {
    expect(balance(pressure)).toEqual({ wanted_bytes: 1100, spare_bytes: -100, days: 15 });
    expect(balance({ ...pressure, held_bytes: 0 }).spare_bytes).toBe(100);
  });
  it("knows no days before anything was recorded", () => {
    expect(balance({ ...pressure, bytes_per_day: 0 }).days).toBeNull();
    expect(days(14.84)).toBe("14,8 jours");
  });
});

describe("local times that a person types", () => {
  it("are the centre's, in summer and in winter", () => {
    expect(fromLocal("2026-07-01T12:00")).toBe(at("2026-07-01T10:00:00Z"));
    expect(fromLocal("2026-12-01T12:00")).toBe(at("2026-12-01T11:00:00Z"));
    expect(toLocal(at("2026-07-01T10:00:30Z"))).toBe("2026-07-01T12:00");
    expect(fromLocal("")).toBeNull();
  });
  it("that come twice mean the whole of both, from the first to the second", () => {
    expect(fromLocal("2026-10-25T02:30")).toBe(at("2026-10-25T00:30:00Z"));
    expect(fromLocal("2026-10-25T02:30", true)).toBe(at("2026-10-25T01:30:00Z"));
  });
  it("that do not exist move on by an hour", () => {
    expect(fromLocal("2026-03-29T02:30")).toBe(at("2026-03-29T01:30:00Z"));
  });
  it("come back as they were typed", () => {
    for (let instant = at("2026-10-24T00:00:00Z"); instant < at("2026-10-26T12:00:00Z"); instant += 1_800_000) {
      const text = toLocal(instant);
      expect([fromLocal(text), fromLocal(text, true)]).toContain(instant);
    }
  });
});

const alarm = (code: string, ended: number | null = null, since = 5): Alarm => ({
  id: code, code, subject: "machine", message: `${code}.`, since, ended, is_event: false,
});

describe("the banner", () => {
  it("tells of the end of a session a quarter of an hour before, and until it comes", () => {
    const end = Date.parse("2026-11-27T05:00:00Z");
    expect([end - 15 * 60_000 - 1, end - 15 * 60_000, end].map((now) => sessionEndsSoon(end, now))).toEqual([false, true, true]);
  });

  it("tells of what is suspended or given up now, the clock first", () => {
    const shown = notices([alarm("DEGRADED"), alarm("CAMERA_LOST"), alarm("CLOCK_UNTRUSTED")], false);
    expect(shown.map((one) => [one.code, one.since])).toEqual([["CLOCK_UNTRUSTED", 5], ["DEGRADED", 5]]);
    expect(notices([alarm("CLOCK_UNTRUSTED", 9)], true)).toEqual([]);
  });
  it("says who can end it, to those who can and to the others", () => {
    const [operator] = notices([alarm("CLOCK_UNTRUSTED")], false);
    const [supervisor] = notices([alarm("CLOCK_UNTRUSTED")], true);
    expect(operator?.who).toContain("superviseur");
    expect(supervisor?.who).toContain("vous");
  });
});

it("shows holds to those who handle requisitions only", () => {
  const shown = ["operator", "supervisor", "delegate", "auditor", "administrator"].filter((role) => sectionsOf(role).includes("holds"));
  expect(shown).toEqual(["supervisor", "administrator"]);
  expect(sectionsOf("auditor")).toContain("bases");
});

it("tells an announced interruption in one sentence", () => {
  expect(announcement({ cause: "planned", from: at("2026-11-26T09:00:00Z"), to: at("2026-11-26T10:00:00Z") })).toBe(
    "Arrêt prévu du 26/11/2026 10:00:00 au 26/11/2026 11:00:00",
  );
});

describe("what waits for a second person", () => {
  const proposal = (decision: string, expires_at: number, mine = false, may_decide = true): WaitingProposal => ({
    id: decision, decision, reason: "", proposed_at: 0, proposed_by: "Superviseur", mine, may_decide, expires_at, days: null, basis: null,
    camera: { id: "c", number: "01", name: "Place", commune: { insee: "27229", name: "Évreux" } },
  });
  it("is told to those who may confirm it, what falls first at the head, and a requisition's never by name", () => {
    const others = [proposal("hold_release", 9), proposal("clock_release", 1, true)];
    expect(firstToConfirm([...others, proposal("mask", 5)])).toMatchObject({ count: 2, decision: "mask", camera: "01 Place", until: 5 });
    expect(firstToConfirm([...others, proposal("mask", 5, false, false)])).toMatchObject({ count: 1, decision: null, camera: null });
    expect(firstToConfirm([proposal("clock_release", 1, true)])).toBeNull();
  });
});

it("tells what is wrong now before what falls due, each the newest first, and what is over not at all", () => {
  const list = [alarm("INQUIRY_DUE", null, 9), alarm("CAMERA_LOST", null, 3), alarm("STORAGE_LOW", null, 7), alarm("REVIEW_DUE", null, 12)];
  const told = current([...list, alarm("VALKEY_DOWN", 21, 20)]);
  expect(told.map((alarm) => alarm.code)).toEqual(["STORAGE_LOW", "CAMERA_LOST", "REVIEW_DUE", "INQUIRY_DUE"]);
  expect(told.map(isAhead)).toEqual([false, false, true, true]);
});
