/** What is wrong with a field, in French: browsers say it in their own language. */

export interface Flaws {
  readonly valueMissing: boolean;
  readonly tooShort: boolean;
  readonly patternMismatch: boolean;
  readonly rangeUnderflow: boolean;
  readonly rangeOverflow: boolean;
  readonly badInput: boolean;
}

export interface FieldLimits {
  /** `select-one`, `checkbox`, `text`... as the element's `type` has it. */
  readonly type: string;
  readonly min: string;
  readonly max: string;
  readonly minLength: number;
  /** The sentence that says which form a pattern wants. */
  readonly title: string;
}

const CHOSEN = new Set(["select-one", "select-multiple", "radio"]);

export function flawOf(flaws: Flaws, limits: FieldLimits): string {
  if (flaws.badInput) return "Un nombre est attendu.";
  if (flaws.valueMissing) {
    if (limits.type === "checkbox") return "Cochez cette case pour continuer.";
    return CHOSEN.has(limits.type) ? "Faites un choix." : "Remplissez ce champ.";
  }
  if (flaws.tooShort) return `${limits.minLength} caractères au moins sont attendus.`;
  if (flaws.patternMismatch) return limits.title === "" ? "La forme attendue n'est pas respectée." : limits.title;
  if (flaws.rangeUnderflow) return `${limits.min} au moins.`;
  if (flaws.rangeOverflow) return `${limits.max} au plus.`;
  return "Valeur refusée : un nombre entier est attendu.";
}

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
const isField = (one: unknown): one is Field =>
  one instanceof HTMLInputElement || one instanceof HTMLSelectElement || one instanceof HTMLTextAreaElement;

/** From now on every field of the page tells its flaw in French. What a field says by itself stays. */
export function speakFrench(page: Document): void {
  const told = new Set<Field>();
  page.addEventListener("invalid", ({ target }) => {
    if (!isField(target) || target.validity.customError) return;
    const of = (name: "min" | "max"): string => target.getAttribute(name) ?? "";
    const minLength = target instanceof HTMLSelectElement ? 0 : target.minLength;
    target.setCustomValidity(flawOf(target.validity, { type: target.type, min: of("min"), max: of("max"), minLength, title: target.title }));
    told.add(target);
  }, true);
  // One choice may settle another field (a radio's group, two fields told together): all are judged anew.
  const forget = (): void => {
    told.forEach((field) => field.setCustomValidity(""));
    told.clear();
  };
  for (const event of ["input", "reset"]) page.addEventListener(event, forget, true);
}
