/** Which parts of the recording view each role has. That a requisition exists is secret (CPP 11): its holds are for those
 * who handle it. */

export type Section = "waiting" | "storage" | "interruptions" | "holds" | "retentions" | "bases";

const SECTIONS: Readonly<Record<string, readonly Section[]>> = {
  supervisor: ["storage", "interruptions", "holds", "retentions", "bases", "waiting"],
  administrator: ["storage", "interruptions", "holds", "retentions", "bases", "waiting"],
  auditor: ["storage", "interruptions", "retentions", "bases"],
};

export const sectionsOf = (role: string): readonly Section[] => SECTIONS[role] ?? [];

/** Who proposes how long recordings are kept and what analysis rests on; another of them confirms. */
export const DECIDES: ReadonlySet<string> = new Set(["supervisor", "administrator"]);
