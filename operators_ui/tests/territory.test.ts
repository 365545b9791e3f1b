import { describe, expect, it } from "vitest";
import { authorisation, authorisations, type Authorisation } from "../src/api/types";
import { byUrgency, daysUntil, isOver, next, tone } from "../src/territory/deadlines";
import { bodyOf, draftOf, fieldsOf, lineOf, purposesOf } from "../src/territory/steps";

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

describe("a step", () => {
  const answers = (...pairs: [string, string][]): FormData => {
    const form = new FormData();
    for (const [name, value] of pairs) form.append(name, value);
    return form;
  };
  const camera = (id: string, masks: unknown = []): unknown => ({
    camera: { id, number: "01", name: "Place", commune: { insee: "27229", name: "Évreux" } }, regime: "VOIE_PUBLIQUE", finalites: ["5"],
    visualised: true, recorded: true, retention_days: 15, recipients: [], fast_flow: false, position: [49, 1], field: null, masks, ptz: { zoom: 4 },
  });
  const lines = authorisation({
    id: "a", commune: { insee: "27229", name: "Évreux" }, dossier: "d", kind: "INITIALE", state: "ACTIVE",
    lines: [camera("one", [[[0, 0], [1, 0], [1, 1]]]), camera("two")], events: [], deadlines: [], steps: [],
  }, "answer").lines;
  const given = answers(["finalites", "5"], ["finalites", "11"], ["recorded", "on"], ["retention_days", "10"], ["minimum_days", ""], ["recipients", " Gendarmerie \n\n"]);
  const terms = { finalites: ["5", "11"], visualised: false, recorded: true, retention_days: 10, minimum_days: null, recipients: ["Gendarmerie"] };

  it("sends what it asks for, and nothing else", () => {
    const all = answers(["on", "2026-11-23"], ["reference", "27-1"], ["from", "2026-11-24"], ["to", "2031-11-24"], ["reason", "x"], ["service_on", "2026-12-01"], ["cameras", "one"]);
    expect(bodyOf("complete", all, lines)).toEqual({ on: "2026-11-23" });
    expect(bodyOf("grant", all, lines)).toEqual({ on: "2026-11-23", reference: "27-1", from: "2026-11-24", to: "2031-11-25" });
    expect(bodyOf("notify", all, lines)).toEqual({ on: "2026-11-23", service_on: "2026-12-01", cameras: ["one"] });
    expect(bodyOf("withdraw", all, lines)).toEqual({ reason: "x" });
    expect(bodyOf("activate", all, lines)).toEqual({ lifted_by: null });
    expect(bodyOf("activate", answers(["lifted_by", "27-2"]), lines)).toEqual({ lifted_by: "27-2" });
    expect(bodyOf("unheard-of", all, lines)).toBeUndefined();
    expect(fieldsOf("unheard-of")).toEqual([]);
  });

  it("that corrects a line sends all of it, and keeps what the form does not show", () => {
    const typed = answers(
      ["finalites", "5"], ["visualised", "on"], ["recorded", "on"], ["retention_days", "12"], ["recipients", ""], ["plan", "LARGE"], ["fast_flow", "on"],
      ["width", "1920"], ["height", "1080"], ["per_s", "12,5"], ["exemption", ""], ["latitude", "49,02"], ["longitude", "-1.15"],
    );
    const [line] = lines;
    expect(lineOf(line, typed)).toEqual({
      finalites: ["5"], visualised: true, recorded: true, retention_days: 12, minimum_days: null, recipients: [], position: [49.02, -1.15], field: null,
      masks: [[[0, 0], [1, 0], [1, 1]]], ptz: { zoom: 4 }, plan: "LARGE", fast_flow: true, width: 1920, height: 1080, per_s: 12.5, exemption: null,
    });
    expect(lineOf(undefined, answers(["finalites", "5"], ["retention_days", "12"]))).toMatchObject({ position: null, masks: [], width: null, plan: null, fast_flow: false });
  });

  it("that amends keeps what else the arrêté says of a camera", () => {
    given.append("cameras", "one");
    given.append("dossier", "Modification 1");
    given.append("kind", "MODIFICATION");
    const body = bodyOf("modification", given, lines);
    expect(body).toMatchObject({ dossier: "Modification 1", kind: "MODIFICATION" });
    expect(body?.["lines"]).toEqual([{
      camera: "one", ...terms, position: [49, 1], field: null, masks: [[[0, 0], [1, 0], [1, 1]]], ptz: { zoom: 4 }, plan: null, fast_flow: false,
      width: null, height: null, per_s: null, exemption: null,
    }]);
  });

  it("that drafts gives every chosen camera the same terms", () => {
    given.append("cameras", "two");
    expect(draftOf(given)).toMatchObject({ lines: [{ camera: "one", ...terms }, { camera: "two", ...terms }] });
  });
});

it("purposes are those of the regimes, in the law's order", () => {
  expect(purposesOf(["ERP", "ABORDS_TERRO"])).toEqual(["6", "9", "ERP"]);
  expect(purposesOf(["VOIE_PUBLIQUE"])).toHaveLength(11);
  expect(purposesOf(["HORS_CSI"])).toEqual(["HORS_CSI"]);
  expect(purposesOf([])).toEqual([]);
});
