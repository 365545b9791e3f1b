import { expect, it } from "vitest";
import { authorisations, type Authorisation } from "../src/api/types";
import { byUrgency, daysUntil, isOver, next, tone } from "../src/territory/deadlines";

const dossier = (id: string, state: string, ...deadlines: [string, string][]): Authorisation => {
  const [one] = authorisations(
    {
      authorisations: [{
        id, commune: { insee: "27229", name: "Évreux" }, dossier: id, kind: "INITIALE", state, lines: [], events: [],
        deadlines: deadlines.map(([code, at]) => ({ code, at })), steps: [],
      }],
    },
    "answer",
  );
  if (one === undefined) throw new Error("one expected");
  return one;
};

it("what is due first comes first, what is over last", () => {
  const late = dossier("late", "ACTIVE", ["AUTH_EXPIRED", "2028-01-01T00:00:00Z"], ["AUTH_EXPIRING", "2027-04-01T00:00:00Z"]);
  const soon = dossier("soon", "RECEPISSE", ["REFUS_IMPLICITE", "2026-12-01T00:00:00Z"]);
  const draft = dossier("draft", "BROUILLON");
  const over = dossier("over", "EXPIREE", ["AUTH_EXPIRED", "2026-01-01T00:00:00Z"]);
  expect(byUrgency([over, draft, late, soon]).map((one) => one.id)).toEqual(["soon", "late", "draft", "over"]);
  expect(next(late)?.code).toBe("AUTH_EXPIRING");
  expect(next(draft)).toBeNull();
});

it("a state has its tone", () => {
  expect(["ACTIVE", "PROVISOIRE", "SUSPENDUE", "DEPOSEE", "EXPIREE", "REFUS_IMPLICITE"].map((state) => tone(dossier("x", state)))).toEqual(
    ["good", "good", "bad", "warning", "quiet", "quiet"],
  );
  expect(isOver(dossier("x", "REMPLACEE"))).toBe(true);
});

it("days are whole ones", () => {
  const now = Date.parse("2026-11-26T12:00:00Z");
  expect(daysUntil(now + 86_400_000, now)).toBe(1);
  expect(daysUntil(now + 86_399_999, now)).toBe(0);
  expect(daysUntil(now - 1, now)).toBe(-1);
});
