import { useCallback, useEffect, type ReactNode } from "react";
import { cameras as camerasBody, type Camera } from "../api/types";
import { usePolled } from "../lib/poll";
import { dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, Loaded } from "../shell/parts";
import { fr } from "../strings";
import { announcement } from "../lib/announcement";
import { viewsOf } from "../shell/views";
import { Table } from "./parts";

const PERIOD_MS = 5_000;

export function Cameras(): ReactNode {
  const { api, hints, session } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/cameras", camerasBody), [api]), PERIOD_MS);
  useEffect(() => hints.on("cameras", poke), [hints, poke]);
  const { tables } = fr;
  const heads = [tables.camera, tables.commune, tables.site, tables.state, tables.lastFrame];
  const looks = viewsOf(session.account.role).includes("wall");
  return (
    <div className="table-page">
      <header><h1>{tables.camerasTitle}</h1></header>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(cameras) => (
          <Table
            label={tables.camerasTitle}
            heads={looks ? [...heads, tables.pictures] : heads}
            empty={cameras.length === 0} testid="cameras-table"
          >
            {cameras.map((camera) => <Row key={camera.id} camera={camera} looks={looks} />)}
          </Table>
        )}
      </Loaded>
    </div>
  );
}

function Row({ camera, looks }: { camera: Camera; looks: boolean }): ReactNode {
  const tone = camera.state === "recording" ? "good" : camera.state === "lost" || camera.state === "forbidden" ? "bad" : "warning";
  return (
    <tr data-camera={camera.id} data-state={camera.state}>
      <td><span className="number">{camera.number}</span> {camera.name}</td>
      <td>{camera.commune.name}</td>
      <td>{camera.site}</td>
      <td>
        <Badge tone={tone}>{fr.cameraState(camera.state)}</Badge>
        {camera.fault_reason && <small>{camera.fault_reason}</small>}
        {camera.interruption && <small>{announcement(camera.interruption)}</small>}
      </td>
      <td>{camera.last_frame_at === null ? "—" : dayAndClock(camera.last_frame_at)}</td>
      {looks && <td>{pictures(camera)}</td>}
    </tr>
  );
}

function pictures({ live }: Camera): ReactNode {
  if (live.allowed) return fr.tables.allowed;
  if (live.code === "MOTIF_REQUIRED") return fr.tables.withMotif;
  return <>{live.reason} <small><code>{live.code}</code></small></>;
}
