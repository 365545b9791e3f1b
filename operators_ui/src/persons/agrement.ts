/** What a person types of an agrément, as the centre takes it. Pure. */

import { endOf } from "../recording/local-input";

/** An empty end, or day of the inquiry, is none: the centre then takes the inquiry to be of the first day. */
export function agrementOf(answers: Pick<FormData, "get">): Readonly<Record<string, unknown>> {
  const day = (name: string): unknown => answers.get(name) || null;
  const departements = String(answers.get("departements")).split(/[ ,]+/).filter(Boolean);
  return {
    reference: answers.get("reference"), prefet: answers.get("prefet"), departements, from: answers.get("from"), to: endOf(answers.get("to")), inquiry: day("inquiry"),
  };
}
