/** A signed head that a person has kept, read from the file of a proof. Pure. */

import { consistency, proof, type Consistency, type SignedHead } from "../api/types";
import { DecodeError, either } from "../lib/decode";

/** The newest head in the file; null when it is none of ours. */
export function headIn(text: string): SignedHead | null {
  try {
    return either(consistency, proof)(JSON.parse(text), "file").head;
  } catch (error) {
    if (error instanceof DecodeError || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Whether the journal's own record of that head is the one that was kept: a journal that was rewritten has another root. */
export const isTheSame = (kept: SignedHead, told: Consistency): boolean =>
  kept.tree_size === told.old.tree_size && kept.root === told.old.root && kept.key === told.old.key;
