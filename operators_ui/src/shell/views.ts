/** Which views each role has. The centre decides every request again; this only spares people doors that stay shut. */

export type View = "wall" | "journal" | "watching" | "cameras" | "persons" | "territory" | "accounts" | "recording" | "statements" | "security";

const VIEWS: Readonly<Record<string, readonly View[]>> = {
  operator: ["wall"],
  supervisor: ["wall", "watching", "recording", "statements", "persons", "territory", "journal"],
  delegate: ["cameras", "watching", "statements", "persons", "territory", "journal", "wall"],
  auditor: ["journal", "watching", "persons", "recording", "statements", "security"],
  administrator: ["cameras", "recording", "territory", "accounts", "security"],
};

export const viewsOf = (role: string): readonly View[] => VIEWS[role] ?? ["wall"];
