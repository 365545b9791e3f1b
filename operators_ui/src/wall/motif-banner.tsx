import type { ReactNode } from "react";
import { useDesk } from "../shell/context";
import { fr } from "../strings";

/** Without the shift's reason no live picture opens: say so once, and offer the choice. */
export function MotifBanner(): ReactNode {
  const { session, chooseShift } = useDesk();
  if (session.shift_motif !== null) return null;
  return (
    <div className="notice notice-warning" role="status" data-testid="motif-banner">
      <span>{fr.wall.noMotifReason}</span>
      <button type="button" className="primary" onClick={chooseShift}>{fr.wall.chooseMotif}</button>
    </div>
  );
}
