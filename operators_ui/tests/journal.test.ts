import { describe, expect, it } from "vitest";
import { journal, looks, type Consistency, type Look } from "../src/api/types";
import { headIn, isTheSame } from "../src/journal/kept-head";
import { lanesOf } from "../src/journal/lanes";
import { csvPath, journalPath, lastDays, NO_FILTER, NOBODY, periodPath, securityPath } from "../src/journal/query";

describe("what is asked", () => {
  it("leaves out what was not chosen", () => {
    expect(journalPath(NO_FILTER, null)).toBe("/api/journal?limit=50");
    expect(journalPath({ op: "picture:live", camera: "", author: "Ève" }, "12")).toBe("/api/journal?limit=50&op=picture%3Alive&author=%C3%88ve&before=12");
    expect(csvPath(NO_FILTER)).toBe("/api/journal.csv");
    expect(csvPath({ class: "erasure", op: "" })).toBe("/api/journal.csv?class=erasure");
  });

  it("of the security log is a page", () => {
    expect(securityPath(null)).toBe("/api/security?limit=50");
    expect(securityPath(7)).toBe("/api/security?limit=50&before=7");
  });

  it("names a period in UTC", () => {
    const period = lastDays(Date.parse("2026-11-26T05:00:00Z"), 7);
    expect(periodPath("looks", period, { ...NOBODY, person: "p" })).toBe(
      "/api/journal/looks?from=2026-11-19T05%3A00%3A00.000Z&to=2026-11-26T05%3A00%3A00.000Z&person=p",
    );
  });
});

const look = (begun_at: number, ended_at: number | null, more: Partial<Look> = {}): Look => ({
  leaf: 1, author: "Ève", person: "p", quality: "PM", authority: null, commune: "27229", camera: "k", camera_name: "01 Place",
  act: "live", motif: null, motif_reference: null, workstation: null, begun_at, ended_at, reason: null, served: [], frames: 0, bytes: 0,
  page_says_stepped: 0, page_says_stepped_in: [], ...more,
});

describe("lanes", () => {
  const period = { from: 1000, to: 2000 };
  const name = (insee: string): string => (insee === "27229" ? "Évreux" : insee);

  it("show the part of a look within the period", () => {
    const [lane] = lanesOf([look(500, 1250), look(1500, null), look(1900, 9000)], "person", period, 1750, name);
    expect(lane?.bars.map(({ start, length, isOpen }) => [start, length, isOpen])).toEqual([[0, 0.25, false], [0.5, 0.25, true], [0.9, 0.1, false]]);
  });

  it("leave out what does not touch it", () => {
    expect(lanesOf([look(0, 1000), look(2000, 3000), look(1800, null)], "person", period, 1750, name)).toEqual([]);
  });

  it("are one an agent, a camera or a commune, by name", () => {
    const all = [look(1000, 1100), look(1000, 1100, { person: "q", author: "Abel", camera: "l", camera_name: "02 Gare" })];
    expect(lanesOf(all, "person", period, 2000, name).map((lane) => lane.name)).toEqual(["Abel", "Ève"]);
    expect(lanesOf(all, "camera", period, 2000, name).map((lane) => lane.name)).toEqual(["01 Place", "02 Gare"]);
    expect(lanesOf(all, "commune", period, 2000, name).map((lane) => [lane.name, lane.bars.length])).toEqual([["Évreux", 2]]);
  });

  it("keep two agents of one name apart", () => {
    expect(lanesOf([look(1000, 1100), look(1000, 1100, { person: "q" })], "person", period, 2000, name)).toHaveLength(2);
  });
});

describe("a kept head", () => {
  const head = { tree_size: 8, root: "ab", signed_at: "2026-11-26T05:00:00.000000Z", key: "k", signature: "s" };
  const told: Consistency = { kind: "consistency", old: head, head: { ...head, tree_size: 9, root: "cd" }, proof: [] };

  it("is the newest of the file", () => {
    expect(headIn(JSON.stringify(told))?.tree_size).toBe(9);
    expect(headIn(JSON.stringify({ kind: "inclusion", entry: "{}", salt: "", leaf: 1, head, proof: [] }))).toEqual(head);
    expect(headIn(JSON.stringify({ kind: "leaf", hash: "ab", leaf: 1, head, proof: [] }))).toEqual(head);
  });

  it("is found in no other file", () => {
    for (const text of ["", "{", "[]", "null", "{\"head\":{}}"]) expect(headIn(text)).toBeNull();
  });

  it("differs when the journal was written anew", () => {
    expect(isTheSame(head, told)).toBe(true);
    expect(isTheSame({ ...head, root: "cd" }, told)).toBe(false);
    expect(isTheSame({ ...head, key: "other" }, told)).toBe(false);
    expect(isTheSame({ ...head, tree_size: 7 }, told)).toBe(false);
  });
});

describe("answers", () => {
  it("of an older centre lack what is new", () => {
    const entry = { at: "2026-11-26T05:00:00Z", op: "x", result: "done" };
    expect(journal({ entries: [entry], next: null }, "answer").entries[0]?.recipients).toEqual([]);
  });

  it("refuse a look without its beginning", () => {
    expect(() => looks({ looks: [{ ...look(0, 1), begun_at: null }], is_cut: false }, "answer")).toThrow("begun_at");
  });
});
