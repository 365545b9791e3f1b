/** Which parts of the recording view each role has. That a requisition exists is secret (CPP 11): its holds are for those
 * who handle it. */

export type Section = "waiting" | "storage" | "interruptions" | "holds";

const SECTIONS: Readonly<Record<string, readonly Section[]>> = {
  supervisor: ["storage", "interruptions", "holds", "waiting"],
  administrator: ["storage", "interruptions", "holds", "waiting"],
  auditor: ["storage", "interruptions"],
};

export const sectionsOf = (role: string): readonly Section[] => SECTIONS[role] ?? [];
