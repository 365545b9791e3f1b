import type { ReactNode } from "react";
import { size } from "../recording/arithmetic";
import { fr } from "../strings";

export interface AmountProps {
  readonly frames: number | null;
  readonly bytes: number | null;
  readonly page_says_stepped: number | null;
}

/** How much was served, and beside it what only the page that showed it can say. */
export function Amount({ frames, bytes, page_says_stepped: stepped }: AmountProps): ReactNode {
  return (
    <>
      {bytes !== null && bytes > 0 && <small>{frames !== null && frames > 0 && `${fr.journal.frames(frames)}, `}{size(bytes)}</small>}
      {stepped !== null && stepped > 0 && <small className="wraps" data-testid="stepped" data-frames={stepped}>{fr.journal.stepped(stepped)}</small>}
    </>
  );
}
