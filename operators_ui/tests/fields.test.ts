import { describe, expect, it } from "vitest";
import { flawOf, type FieldLimits, type Flaws } from "../src/lib/field-words";
import { readTyped, showTyped } from "../src/lib/typed-dates";

describe("a day typed in a form", () => {
  it.each([
    ["26/11/2026", "2026-11-26"], ["1/2/2026", "2026-02-01"], ["26-11-2026", "2026-11-26"], ["26.11.26", "2026-11-26"], ["26112026", "2026-11-26"],
    [" 26/11/2026 ", "2026-11-26"], ["2026-11-26", "2026-11-26"], ["29/02/2028", "2028-02-29"],
  ])("%s is read day first", (typed, iso) => expect(readTyped("day", typed)).toBe(iso));

  it.each(["", "11/26/2026", "31/02/2026", "29/02/2027", "00/01/2026", "26/11", "demain", "26/11/2026 14:30", "126/11/2026", "26/11/202"])(
    "%s is none", (typed) => expect(readTyped("day", typed)).toBeNull(),
  );
});

describe("an instant typed in a form", () => {
  it.each([
    ["26/11/2026 14:30", "2026-11-26T14:30"], ["26/11/2026 14h30", "2026-11-26T14:30"], ["26/11/2026 9h", "2026-11-26T09:00"],
    ["26/11/2026 14:30:05", "2026-11-26T14:30:05"], ["26/11/2026 à 14:30", "2026-11-26T14:30"], ["26/11/2026, 14:30", "2026-11-26T14:30"],
    ["2026-11-26T14:30", "2026-11-26T14:30"],
  ])("%s is read", (typed, iso) => expect(readTyped("instant", typed)).toBe(iso));

  it.each(["26/11/2026", "14:30", "26/11/2026 24:00", "26/11/2026 14:60", "26/11/2026 02:30 PM", "26/11/2026 1430", "31/11/2026 10:00"])(
    "%s is none", (typed) => expect(readTyped("instant", typed)).toBeNull(),
  );
});

it("a date field shows what it carries day first, and leaves what it can't read as it was typed", () => {
  expect(showTyped("day", "2026-11-26")).toBe("26/11/2026");
  expect(showTyped("instant", "2026-11-26T14:30")).toBe("26/11/2026 14:30");
  expect(showTyped("instant", "26/11/2026 9h05:07")).toBe("26/11/2026 09:05:07");
  expect(showTyped("day", "bientôt")).toBe("bientôt");
  expect(showTyped("day", "")).toBe("");
});

it("a field says in French what is wrong with it", () => {
  const limits = (given: Partial<FieldLimits>): FieldLimits => ({ type: "text", min: "", max: "", minLength: -1, title: "", ...given });
  const flaws = (given: Partial<Flaws>): Flaws => ({
    valueMissing: false, tooShort: false, patternMismatch: false, rangeUnderflow: false, rangeOverflow: false, badInput: false, ...given,
  });
  expect(flawOf(flaws({ valueMissing: true }), limits({}))).toBe("Remplissez ce champ.");
  expect(flawOf(flaws({ valueMissing: true }), limits({ type: "select-one" }))).toBe("Faites un choix.");
  expect(flawOf(flaws({ valueMissing: true }), limits({ type: "checkbox" }))).toContain("Cochez");
  expect(flawOf(flaws({ valueMissing: true, badInput: true }), limits({ type: "number" }))).toBe("Un nombre est attendu.");
  expect(flawOf(flaws({ tooShort: true }), limits({ minLength: 12 }))).toBe("12 caractères au moins sont attendus.");
  expect(flawOf(flaws({ rangeOverflow: true }), limits({ max: "31" }))).toBe("31 au plus.");
  expect(flawOf(flaws({ rangeUnderflow: true }), limits({ min: "1" }))).toBe("1 au moins.");
  expect(flawOf(flaws({ patternMismatch: true }), limits({ title: "Des chiffres sont attendus." }))).toBe("Des chiffres sont attendus.");
  expect(flawOf(flaws({ patternMismatch: true }), limits({}))).toContain("forme attendue");
  expect(flawOf(flaws({}), limits({}))).toContain("nombre entier");
});
