/** The coded motif and the number that a decision of two persons bears. */

import type { ReactNode } from "react";
import { motif } from "../api/types";
import { Asked } from "../lib/asked";
import { array } from "../lib/decode";
import { fr } from "../strings";

const motifs = array(motif);

/** `act`: the decision, as the centre's motifs name it. */
export function MotifFields({ act }: { act: string }): ReactNode {
  return (
    <Asked path="/api/motifs" decoder={motifs}>
      {(all) => (
        <>
          <label>
            {fr.motif.motif}
            <select name="motif" required data-testid="motif-code">
              {all.filter((kind) => kind.acts.includes(act)).map((kind) => <option key={kind.code} value={kind.code}>{kind.label}</option>)}
            </select>
          </label>
          <label>
            {fr.motif.number}
            <input name="reference" required minLength={3} maxLength={40} autoComplete="off" data-testid="motif-reference" />
            <small>{fr.motif.referenceHelp}</small>
          </label>
        </>
      )}
    </Asked>
  );
}

/** What the fields say. */
export const motifIn = (form: FormData): unknown => ({ code: form.get("motif"), reference: form.get("reference") });
