/** Which parts of the recording view each role has. That a requisition exists is secret (CPP 11): its holds are for those
 * who handle it. */

export type Section = "storage" | "interruptions" | "holds";

const SECTIONS: Readonly<Record<string, readonly Section[]>> = {
  supervisor: ["storage", "interruptions", "holds"],
  administrator: ["storage", "interruptions", "holds"],
  auditor: ["storage", "interruptions"],
};

export const sectionsOf = (role: string): readonly Section[] => SECTIONS[role] ?? [];
