/** The steps of an authorisation: what each asks of the person, and the request that it makes of the answers. Pure. */

import type { AuthorisationLine } from "../api/types";
import { endOf } from "../recording/local-input";

export type Field = "on" | "reference" | "period" | "service" | "reason" | "amendment" | "lifted";

/** By the last word of the path; a step that is not here asks for nothing. */
const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  deposit: ["on"],
  complete: ["on"],
  extend: ["on"],
  opinion: ["on"],
  grant: ["on", "reference", "period"],
  refuse: ["on"],
  notify: ["on", "service"],
  activate: ["lifted"],
  suspend: ["reason"],
  resume: ["reason"],
  withdraw: ["reason"],
  "end-event": ["reason"],
  drop: ["reason"],
  modification: ["amendment"],
};

export const fieldsOf = (step: string): readonly Field[] => FIELDS[step] ?? [];

/** Those that close, or end for good. */
export const CLOSING: ReadonlySet<string> = new Set(["refuse", "suspend", "withdraw", "end-event", "drop"]);

type Answers = Pick<FormData, "get" | "getAll" | "has">;

/** The body of a step's request. */
export function bodyOf(step: string, answers: Answers, lines: readonly AuthorisationLine[]): Readonly<Record<string, unknown>> | undefined {
  const fields = fieldsOf(step);
  if (fields.length === 0) return undefined;
  return Object.assign({}, ...fields.map((field) => partOf(field, answers, lines)));
}

function partOf(field: Field, answers: Answers, lines: readonly AuthorisationLine[]): Readonly<Record<string, unknown>> {
  switch (field) {
    case "on":
    case "reference":
    case "reason":
      return { [field]: answers.get(field) };
    case "period": return { from: answers.get("from"), to: endOf(answers.get("to")) };
    case "lifted": return { lifted_by: answers.get("lifted_by") || null };
    case "service": return { service_on: answers.get("service_on"), cameras: answers.getAll("cameras") };
    case "amendment": return { dossier: answers.get("dossier"), kind: answers.get("kind"), lines: amended(answers, lines) };
  }
}

/** The lines of the chosen cameras under new terms; what else the arrêté says of them stays as it was. */
function amended(answers: Answers, lines: readonly AuthorisationLine[]): unknown[] {
  const chosen = new Set(answers.getAll("cameras"));
  return lines.filter((line) => chosen.has(line.camera.id)).map((line) => {
    const { position, field, masks, ptz, plan, fast_flow, width, height, per_s, exemption } = line;
    return { camera: line.camera.id, position, field, masks, ptz, plan, fast_flow, width, height, per_s, exemption, ...terms(answers) };
  });
}

/** Purposes, use, retention and recipients, as an arrêté decides them. */
export function terms(answers: Answers): Readonly<Record<string, unknown>> {
  const minimum = answers.get("minimum_days");
  const recipients = String(answers.get("recipients") ?? "").split("\n").map((one) => one.trim()).filter(Boolean);
  return {
    finalites: answers.getAll("finalites"),
    visualised: answers.has("visualised"),
    recorded: answers.has("recorded"),
    retention_days: Number(answers.get("retention_days")),
    minimum_days: minimum === null || minimum === "" ? null : Number(minimum),
    recipients,
  };
}

/** One camera's line as the form has it. Zones, masks and limits of movement, which it does not show, stay as they were. */
export function lineOf(before: AuthorisationLine | undefined, answers: Answers): Readonly<Record<string, unknown>> {
  const number = (name: string): number | null => {
    const typed = String(answers.get(name) ?? "").trim().replace(",", ".");
    return typed === "" ? null : Number(typed);
  };
  const [latitude, longitude] = [number("latitude"), number("longitude")];
  return {
    field: before?.field ?? null, masks: before?.masks ?? [], ptz: before?.ptz ?? null,
    position: latitude === null || longitude === null ? null : [latitude, longitude],
    plan: answers.get("plan") || null, fast_flow: answers.has("fast_flow"), exemption: answers.get("exemption") || null,
    width: number("width"), height: number("height"), per_s: number("per_s"), ...terms(answers),
  };
}

/** A new dossier: every chosen camera under the same terms. */
export const draftOf = (answers: Answers): Readonly<Record<string, unknown>> => ({
  commune: answers.get("commune"),
  dossier: answers.get("dossier"),
  kind: answers.get("kind"),
  lines: answers.getAll("cameras").map((camera) => ({ camera, ...terms(answers) })),
});

const STREET = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
/** The purposes that an arrêté may give to a camera, by its regime (CSI L.251-2). */
const PURPOSES: Readonly<Record<string, readonly string[]>> = {
  VOIE_PUBLIQUE: STREET, ERP: ["ERP", "6", "9"], COMMERCE: ["COMMERCE"], ABORDS_TERRO: ["6"], HORS_CSI: ["HORS_CSI"],
};

/** Purposes in the law's order, each once. */
export const inOrder = (purposes: readonly string[]): string[] => [...STREET, "ERP", "COMMERCE", "HORS_CSI"].filter((one) => purposes.includes(one));

/** Those that may be given to one of these regimes at least. */
export const purposesOf = (regimes: readonly string[]): string[] => inOrder(regimes.flatMap((regime) => PURPOSES[regime] ?? []));
