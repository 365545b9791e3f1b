import { useEffect, useState, type ReactNode } from "react";
import { cameras as camerasBody, type Camera } from "../api/types";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { grouped } from "../wall/inventory";

/** The person's cameras, asked for once; empty until they are there. */
export function useCameras(): readonly Camera[] {
  const { api } = useDesk();
  const [cameras, setCameras] = useState<readonly Camera[]>([]);
  useEffect(() => {
    void api.get("/api/cameras", camerasBody).then((answer) => {
      if (answer.kind === "ok") setCameras(answer.value);
    });
  }, [api]);
  return cameras;
}

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
