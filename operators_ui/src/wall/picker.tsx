import { useState, type ReactNode } from "react";
import type { Camera } from "../api/types";
import { announcement } from "../lib/announcement";
import { Badge } from "../shell/parts";
import { fr } from "../strings";
import { grouped } from "./inventory";

export function CameraPicker(props: {
  cameras: readonly Camera[]; onWall: ReadonlySet<string | null>; onChoose: (camera: string) => void; onClose: () => void;
}): ReactNode {
  const [filter, setFilter] = useState("");
  const groups = grouped(props.cameras, filter);
  return (
    <aside className="panel picker" aria-label={fr.picker.title} data-testid="picker">
      <div className="picker-head">
        <h2>{fr.picker.title}</h2>
        <button type="button" onClick={props.onClose} aria-label={fr.help.close}>×</button>
      </div>
      <input
        type="search" placeholder={fr.picker.filter} aria-label={fr.picker.filter} value={filter} autoFocus
        data-testid="picker-filter" onChange={(event) => setFilter(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && props.onClose()}
      />
      {groups.length === 0 && <p className="quiet">{fr.picker.none}</p>}
      {groups.map((group) => (
        <section key={group.insee}>
          <h3>{group.name}</h3>
          <ul>
            {group.cameras.map((camera) => (
              <li key={camera.id}>
                <button
                  type="button" data-testid="picker-camera" data-camera={camera.id} data-allowed={camera.live.allowed}
                  onClick={() => props.onChoose(camera.id)}
                >
                  <span className="number">{camera.number}</span>
                  <span className="picker-name">{camera.name}{camera.site && <small>{camera.site}</small>}</span>
                  <CameraBadge camera={camera} onWall={props.onWall.has(camera.id)} />
                  {!camera.live.allowed && <small className="picker-reason">{camera.live.reason} <code>{camera.live.code}</code></small>}
                  {camera.interruption && <small className="picker-reason">{announcement(camera.interruption)}</small>}
                  {camera.live.allowed && camera.fault_reason && <small className="picker-reason">{camera.fault_reason}</small>}
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </aside>
  );
}

function CameraBadge(props: { camera: Camera; onWall: boolean }): ReactNode {
  const { camera } = props;
  if (!camera.live.allowed) return <Badge tone="bad">{fr.picker.refused}</Badge>;
  if (camera.state === "lost") return <Badge tone="warning">{fr.cameraState(camera.state)}</Badge>;
  if (props.onWall) return <Badge tone="quiet">{fr.picker.onWall}</Badge>;
  return <Badge tone={camera.state === "recording" ? "good" : "quiet"}>{fr.cameraState(camera.state)}</Badge>;
}
