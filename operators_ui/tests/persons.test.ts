import { expect, it } from "vitest";
import { personsPage, type Person } from "../src/api/types";
import { day, lastDay } from "../src/lib/time";
import { agrementOf } from "../src/persons/agrement";
import { dueDay, duesOf, isLate } from "../src/persons/dues";
import { endOf, fromLocal } from "../src/recording/local-input";

const person = (name: string, closed_at: string | null, ...dues: [string, string][]): Person => {
  const page = personsPage(
    {
      inquiry_blocks: false,
      persons: [{
        id: name, login: name, name, role: "operator", category: "PM", created_at: "2026-01-01T00:00:00Z", closed_at, habilitations: [],
        dues: dues.map(([code, by]) => ({ code, by, commune: null })),
      }],
    },
    "answer",
  );
  const [one] = page.persons;
  if (one === undefined) throw new Error("one expected");
  return one;
};

it("what is due first comes first, and nothing of closed accounts", () => {
  const all = [
    person("Ève", null, ["REVIEW_DUE", "2026-12-20T00:00:00Z"], ["LEAVER", "2026-11-30T00:00:00Z"]),
    person("Abel", null, ["REVIEW_DUE", "2026-12-20T00:00:00Z"]),
    person("Caïn", "2026-06-01T00:00:00Z", ["REVIEW_OVERDUE", "2026-05-01T00:00:00Z"]),
  ];
  expect(duesOf(all).map((due) => [due.person.name, due.code])).toEqual([["Ève", "LEAVER"], ["Abel", "REVIEW_DUE"], ["Ève", "REVIEW_DUE"]]);
});

it("is late once its day has come, or when it says so", () => {
  const now = Date.parse("2026-11-26T00:00:00Z");
  expect(isLate({ code: "REVIEW_DUE", by: now + 1, commune: null }, now)).toBe(false);
  expect(isLate({ code: "REVIEW_DUE", by: now, commune: null }, now)).toBe(true);
  expect(isLate({ code: "AGREMENT_SUSPENDED", by: now + 1, commune: null }, now)).toBe(true);
});

it("an agrément without a term or an inquiry says so, and its départements are a list", () => {
  const form = new FormData();
  for (const [name, value] of [["reference", "AGR-2"], ["prefet", "Préfet de l'Eure"], ["departements", "27, 76 2A"], ["from", "2026-11-23"], ["to", ""], ["inquiry", ""]] as const) form.set(name, value);
  expect(agrementOf(form)).toEqual({ reference: "AGR-2", prefet: "Préfet de l'Eure", departements: ["27", "76", "2A"], from: "2026-11-23", to: null, inquiry: null });
  form.set("to", "2031-11-23");
  expect(agrementOf(form)).toMatchObject({ to: "2031-11-24" });
});

it("what a form was given as the last day is what a table shows, whatever the night", () => {
  for (let at = Date.UTC(2024, 0, 1); at < Date.UTC(2032, 0, 1); at += 24 * 3_600_000) {
    const typed = new Date(at).toISOString().slice(0, 10);
    const end = fromLocal(`${endOf(typed)}T00:00`);
    if (end === null) throw new Error(typed);
    const shown = lastDay(end);
    expect(shown.split("/").reverse().join("-")).toBe(typed);
    // And it holds until the last instant of that day.
    expect(day(end)).not.toBe(shown);
  }
  expect([endOf(""), endOf(null)]).toEqual([null, null]);
  expect([endOf("2026-12-31"), endOf("2028-02-28"), endOf("2027-02-28")]).toEqual(["2027-01-01", "2028-02-29", "2027-03-01"]);
});

it("a right that ends is due on its last day, what is to be done by a day on that day", () => {
  const by = Date.parse("2026-12-31T23:00:00Z");
  expect(dueDay({ code: "DESIGNATION_ENDING", by, commune: null })).toBe("31/12/2026");
  expect(dueDay({ code: "INQUIRY_DUE", by, commune: null })).toBe("01/01/2027");
});
