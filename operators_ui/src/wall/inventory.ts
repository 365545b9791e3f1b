/** The inventory as the list shows it: by commune, filtered. Pure. */

import type { Camera } from "../api/types";

export interface CommuneGroup {
  readonly insee: string;
  readonly name: string;
  readonly cameras: readonly Camera[];
}

const fold = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Cameras whose name, commune, site or number holds every word, accents and case aside; grouped by commune in French order. */
export function grouped(cameras: readonly Camera[], filter: string): CommuneGroup[] {
  const words = fold(filter).split(/\s+/).filter((word) => word !== "");
  const groups = new Map<string, Camera[]>();
  for (const camera of cameras) {
    const text = fold([camera.number, camera.name, camera.commune.name, camera.site].join(" "));
    if (!words.every((word) => text.includes(word))) continue;
    const group = groups.get(camera.commune.insee);
    if (group) group.push(camera);
    else groups.set(camera.commune.insee, [camera]);
  }
  const order = new Intl.Collator("fr", { numeric: true });
  return [...groups.values()]
    .map((list) => ({
      insee: list[0]?.commune.insee ?? "", name: list[0]?.commune.name ?? "",
      cameras: [...list].sort((a, b) => order.compare(String(a.number ?? a.name), String(b.number ?? b.name))),
    }))
    .sort((a, b) => order.compare(a.name, b.name));
}
