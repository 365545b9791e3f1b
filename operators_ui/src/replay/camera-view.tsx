import type { ReactNode } from "react";
import type { Camera } from "../api/types";
import type { LiveSession } from "../live/live-session";
export function CameraView(props: { cameras: readonly Camera[]; live: LiveSession; id: string; onBack: () => void }): ReactNode {
  return <button type="button" onClick={props.onBack}>{props.id}</button>;
}
