import type { ReactNode } from "react";
import { cameras as camerasBody, type Camera } from "../api/types";
import { useOffered } from "../lib/asked";
import { fr } from "../strings";
import { grouped } from "../wall/inventory";

/** The person's cameras, not polled; empty until they are there. */
export const useCameras = (): readonly Camera[] => useOffered("/api/cameras", camerasBody) ?? [];

export function CameraChoice({ cameras }: { cameras: readonly Camera[] }): ReactNode {
  return (
    <label>
      {fr.recording.camera}
      <select name="camera" required autoFocus defaultValue="" data-testid="camera-choice">
        <option value="" disabled>{fr.tables.choose}</option>
        {grouped(cameras, "").map((commune) => (
          <optgroup key={commune.insee} label={commune.name}>
            {commune.cameras.map((camera) => <option key={camera.id} value={camera.id}>{camera.number} {camera.name}</option>)}
          </optgroup>
        ))}
      </select>
    </label>
  );
}
