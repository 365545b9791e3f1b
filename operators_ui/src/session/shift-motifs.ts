/** The motifs that a shift may have, asked for until the centre tells them. */

import { useEffect, useState } from "react";
import { motif as motifBody, type Motif } from "../api/types";
import { array } from "../lib/decode";
import type { SessionController } from "./session-controller";

const RETRY_MS = 3_000;
const motifs = array(motifBody);

/** None until they are told; `isAway` when the newest try gave nothing. */
export function useShiftMotifs({ api }: SessionController): { told: readonly Motif[]; isAway: boolean } {
  const [told, setTold] = useState<readonly Motif[]>([]);
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    let timer: number | undefined;
    let wanted = true;
    const ask = async (): Promise<void> => {
      const answer = await api.get("/api/motifs?public", motifs);
      if (!wanted) return;
      setAway(answer.kind !== "ok");
      if (answer.kind === "ok") setTold(answer.value);
      else timer = window.setTimeout(() => void ask(), RETRY_MS);
    };
    void ask();
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [api]);
  return { told, isAway };
}
