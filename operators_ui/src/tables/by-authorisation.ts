/** A commune's cameras as its arrêtés list them: one arrêté covers many. Pure. */

import type { TerritoryCommune } from "../api/types";

type Camera = TerritoryCommune["cameras"][number];
type Line = Camera["authorisations"][number];

export interface Authorised {
  readonly line: Line;
  readonly cameras: readonly Camera[];
}

/** One group for each arrêté and retention, in order of reference; and the cameras without any. */
export function byAuthorisation(cameras: readonly Camera[]): { groups: Authorised[]; bare: Camera[] } {
  const groups = new Map<string, { line: Line; cameras: Camera[] }>();
  for (const camera of cameras) {
    for (const line of camera.authorisations) {
      const key = `${line.id} ${line.retention_days}`;
      const group = groups.get(key);
      if (group) group.cameras.push(camera);
      else groups.set(key, { line, cameras: [camera] });
    }
  }
  const order = new Intl.Collator("fr", { numeric: true });
  return {
    groups: [...groups.values()].sort((a, b) => order.compare(a.line.reference, b.line.reference)),
    bare: cameras.filter((camera) => camera.authorisations.length === 0),
  };
}
