import { describe, expect, it } from "vitest";
import { coverageMonth, signedStatement } from "../src/api/types";
import { hours, percent, recordedShare } from "../src/statements/figures";
import { dayName, dayNumber, monthName, monthOf, monthsFrom } from "../src/statements/months";

const HOUR_US = 3_600_000_000;
const plain = (text: string): string => text.replace(/\s/g, " ");

describe("civil months and days", () => {
  it("are those of Paris", () => {
    expect(monthOf(Date.parse("2026-10-31T22:30:00Z"))).toBe("2026-10");
    expect(monthOf(Date.parse("2026-10-31T23:30:00Z"))).toBe("2026-11");
    expect(monthName("2026-03")).toBe("mars 2026");
    expect(dayName("2026-10-25")).toBe("dimanche 25 octobre 2026");
    expect(dayNumber("2026-10-25")).toBe("25/10/2026");
  });

  it("follow one another over years", () => {
    expect(monthsFrom("2026-12", 1)).toBe("2027-01");
    expect(monthsFrom("2026-01", -1)).toBe("2025-12");
    expect(monthsFrom("2026-03", -14)).toBe("2025-01");
  });
});

describe("figures", () => {
  it("never round up to a whole that isn't", () => {
    expect(plain(recordedShare(24 * HOUR_US, 24 * HOUR_US) ?? "")).toBe("100,00 %");
    expect(plain(recordedShare(24 * HOUR_US - 1, 24 * HOUR_US) ?? "")).toBe("99,99 %");
    expect(recordedShare(0, 0)).toBeNull();
    expect(plain(percent(0.5))).toBe("0,50 %");
  });

  it("are written in French", () => {
    expect(hours(743 * HOUR_US + 59 * 60_000_000)).toBe("743 h 59");
    expect(hours(25 * HOUR_US)).toBe("25 h 00");
  });
});

describe("answers", () => {
  it("keep causes that this console has no word for", () => {
    const line = { days: 2, expected_us: 1, sums_us: { recorded: 1, other: 2 }, percent: { recorded: 33.33, other: 66.67 } };
    const month = { month: "2026-11", in_progress: true, days: 2, days_of_month: 30, cameras: [], total: line };
    expect(coverageMonth(month, "month").total.percent["other"]).toBe(66.67);
    expect(() => coverageMonth({ ...month, total: { ...line, sums_us: { recorded: "1" } } }, "month")).toThrow("month.total.sums_us.recorded");
  });

  it("tell what is not known from nothing", () => {
    const camera = { camera: "c", number: "01", name: "Place", destroyed: [], inventory: null, coverage: null };
    const missing = [{ camera: "c", what: "inventory" }];
    const statement = { number: 1, day: "2026-11-23", signed_at: "2026-11-24T11:00:00Z", cameras: [camera], missing };
    const file = signedStatement({ statement, kid: "ab" }, "file");
    expect(file.withheld).toBeNull();
    expect(file.statement.cameras[0]?.inventory).toBeNull();
  });
});
