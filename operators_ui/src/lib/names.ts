/** As a French list is: an accent is no other letter (Évreux before Vernon). */
export function byName<T extends { readonly name: string }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => a.name.localeCompare(b.name, "fr"));
}
