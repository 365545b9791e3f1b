/** What a person types to bring a commune in, as the centre takes it. An empty field is one that isn't known. Pure. */

import { endOf } from "../recording/local-input";

type Answers = Pick<FormData, "get">;
type Body = Readonly<Record<string, unknown>>;

const of = (answers: Answers, ...names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, answers.get(name) || null]));

/** What a commune answers for. */
export const onboardingOf = (answers: Answers): Body =>
  of(answers, "authority", "controller", "dpo", "deliberation", "deliberation_on", "cnil_receipt", "cnil_sent_on");

export const communeOf = (answers: Answers): Body => ({ insee: answers.get("insee"), ...onboardingOf(answers) });

export const conventionOf = (insee: string) => (answers: Answers): Body =>
  ({ commune: insee, ...of(answers, "kind", "reference", "partner", "from"), to: endOf(answers.get("to")) });

/** Degrees, with the comma that French keyboards have. */
export function siteOf(answers: Answers): Body {
  const degrees = (name: string): number | null => {
    const typed = String(answers.get(name) ?? "").trim().replace(",", ".");
    return typed === "" ? null : Number(typed);
  };
  return { ...of(answers, "name", "address"), latitude: degrees("latitude"), longitude: degrees("longitude") };
}

export const sourceOf = (answers: Answers): Body => of(answers, "main", "sub", "username", "password", "certificate", "adapter");

export const cameraOf = (insee: string) => (answers: Answers): Body =>
  ({ commune: insee, ...of(answers, "number", "name", "site", "regime"), priority: Number(answers.get("priority") || 0), ...sourceOf(answers) });
