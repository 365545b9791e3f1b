import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Camera, Stream } from "../api/types";
import { digitOf, useKeys } from "../lib/keys";
import { useStore } from "../lib/store";
import type { LiveSession } from "../live/live-session";
import type { Wanted } from "../live/session-state";
import { fr } from "../strings";
import * as layout from "./layout";
import { MotifBanner } from "./motif-banner";
import { CameraPicker } from "./picker";
import { TileView } from "./tile-view";
import { useDesk } from "../shell/context";

export interface WallProps {
  readonly cameras: readonly Camera[];
  readonly live: LiveSession;
  readonly onOpen: (camera: string) => void;
}

const tileName = (slot: number): string => `slot-${slot}`;
const LAYOUT_OF_DIGIT: Readonly<Record<number, layout.Layout>> = { 1: 1, 4: 4, 9: 9, 6: 16 };

export function WallView(props: WallProps): ReactNode {
  const { cameras, live } = props;
  const [saved, setSaved] = useState(() => layout.load(window.localStorage));
  const [picking, setPicking] = useState(false);
  const wall = useMemo(() => layout.reconcile(saved, cameras), [saved, cameras]);
  const grid = useRef<HTMLDivElement>(null);
  const change = (next: layout.Wall): void => {
    setSaved(next);
    layout.save(window.localStorage, next);
  };
  const byId = useMemo(() => new Map(cameras.map((camera) => [camera.id, camera])), [cameras]);
  const tiles = new Map(useStore(live.state).tiles.map((tile) => [tile.wanted.tile, tile]));
  const width_px = useTileWidth(grid, wall.layout, picking);
  const hasMotif = useDesk().session.shift_motif !== null;
  useWanted(live, wall, byId, hasMotif ? width_px : null);
  useFocusedTile(grid, wall.focus);

  const again = (slot: number): void => {
    const isOpen = (camera: string): boolean => byId.get(camera)?.live.allowed === true;
    live.again(layout.askedWith(wall, slot, isOpen).map(tileName));
  };
  const act = (event: KeyboardEvent): boolean => {
    const wanted = LAYOUT_OF_DIGIT[digitOf(event.code) ?? -1];
    if (wanted !== undefined) return did(change(layout.withLayout(wall, wanted)));
    const inTile = event.target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ");
    if (inTile) return false;
    return pressed(event.key);
  };
  const pressed = (key: string): boolean => {
    const camera = layout.cameraIn(wall, wall.focus);
    switch (key) {
      case "ArrowLeft": case "ArrowRight": case "ArrowUp": case "ArrowDown":
        return did(change(layout.move(wall, key)));
      case "PageDown": return did(change(layout.turnPage(wall, 1)));
      case "PageUp": return did(change(layout.turnPage(wall, -1)));
      case "Enter": return did(camera === null ? setPicking(true) : props.onOpen(camera));
      case "Delete": return did(change(layout.assign(wall, wall.focus, null)));
      case "c": case "C": return did(setPicking(!picking));
      case "r": case "R": return did(again(wall.focus));
      case "Escape": return picking && did(setPicking(false));
      default: return false;
    }
  };
  useKeys(act);

  return (
    <div className="wall-page">
      <div className="wall-main">
        <h1 className="visually-hidden">{fr.wall.title}</h1>
        <WallBar wall={wall} onChange={change} picking={picking} onPick={() => setPicking(!picking)} live={live} />
        <MotifBanner />
        {cameras.length === 0 && <p className="notice notice-warning" role="status">{fr.wall.noCameras}</p>}
        <div
          ref={grid} className={`wall wall-${wall.layout}`} role="group" aria-label={fr.wall.title} data-testid="wall"
          data-layout={wall.layout}
        >
          {layout.shown(wall).map((slot) => {
            const id = layout.cameraIn(wall, slot);
            return (
              <TileView
                key={slot} slot={slot} name={tileName(slot)} camera={id === null ? null : (byId.get(id) ?? null)}
                tile={tiles.get(tileName(slot)) ?? null} live={live} focused={slot === wall.focus}
                onFocus={() => slot !== wall.focus && change(layout.withFocus(wall, slot))}
                onOpen={() => id !== null && props.onOpen(id)} onAgain={() => again(slot)}
                onPick={() => { change(layout.withFocus(wall, slot)); setPicking(true); }}
                onClear={() => change(layout.assign(wall, slot, null))}
              />
            );
          })}
        </div>
      </div>
      {picking && (
        <CameraPicker
          cameras={cameras} onWall={new Set(layout.shown(wall).map((slot) => layout.cameraIn(wall, slot)))}
          onChoose={(camera) => change(layout.assign(wall, wall.focus, camera))} onClose={() => setPicking(false)}
        />
      )}
    </div>
  );
}

function did(_done: void): true {
  return true;
}

function WallBar(props: {
  wall: layout.Wall; onChange: (wall: layout.Wall) => void; picking: boolean; onPick: () => void; live: LiveSession;
}): ReactNode {
  const { wall } = props;
  const { link, tiles } = useStore(props.live.state);
  const down = tiles.some((tile) => tile.state.kind !== "refused") && (link.kind === "waiting" || link.kind === "down");
  return (
    <div className="wall-bar">
      <div role="group" aria-label={fr.wall.layouts} className="segmented">
        {layout.LAYOUTS.map((one) => (
          <button
            key={one} type="button" aria-pressed={one === wall.layout} aria-label={fr.wall.layout(one)} data-testid={`layout-${one}`}
            onClick={() => props.onChange(layout.withLayout(wall, one))}
          >
            {one}
          </button>
        ))}
      </div>
      {layout.pages(wall) > 1 && (
        <div className="segmented">
          <button type="button" aria-label={fr.wall.previous} onClick={() => props.onChange(layout.turnPage(wall, -1))}>‹</button>
          <span data-testid="wall-page">{fr.wall.page(layout.page(wall) + 1, layout.pages(wall))}</span>
          <button type="button" aria-label={fr.wall.next} onClick={() => props.onChange(layout.turnPage(wall, 1))}>›</button>
        </div>
      )}
      <span className={down ? "link link-down" : "link"} role="status" data-testid="link" data-link={link.kind}>
        {down ? fr.wall.link : link.kind === "up" ? fr.wall.linkUp : ""}
      </span>
      <button type="button" aria-pressed={props.picking} onClick={props.onPick} data-testid="picker-toggle">
        {fr.picker.title} <kbd>C</kbd>
      </button>
    </div>
  );
}

/** Width of one tile in device pixels; null before the first layout. */
function useTileWidth(grid: { current: HTMLDivElement | null }, tiles: layout.Layout, picking: boolean): number | null {
  const [width_px, setWidth] = useState<number | null>(null);
  useEffect(() => {
    const element = grid.current;
    if (element === null) return;
    const measure = (): void => setWidth((element.clientWidth / layout.columns(tiles)) * window.devicePixelRatio);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [grid, tiles, picking]);
  return width_px;
}

/** Tell the live session what the wall shows, only when that changed; nothing while the width is not known. */
function useWanted(live: LiveSession, wall: layout.Wall, byId: ReadonlyMap<string, Camera>, width_px: number | null): void {
  const wanted: Wanted[] = [];
  for (const slot of layout.shown(wall)) {
    const camera = byId.get(layout.cameraIn(wall, slot) ?? "");
    if (camera === undefined || width_px === null) continue;
    const stream: Stream = layout.streamFor(width_px, camera.streams);
    wanted.push({ tile: tileName(slot), camera: camera.id, stream, refusal: layout.knownRefusal(camera) });
  }
  const fingerprint = JSON.stringify(wanted);
  const newest = useRef(wanted);
  newest.current = wanted;
  useEffect(() => live.want(newest.current), [live, fingerprint]);
  useEffect(() => () => live.want([]), [live]);
}

/** The keyboard's focus follows the wall's, unless the person is elsewhere (bar, list, dialog). */
function useFocusedTile(grid: { current: HTMLDivElement | null }, focus: number): void {
  useEffect(() => {
    const active = document.activeElement;
    const free = active === document.body || active?.closest("[data-testid=wall]") !== null;
    if (free) grid.current?.querySelector<HTMLElement>(`[data-slot="${focus}"]`)?.focus({ preventScroll: true });
  }, [grid, focus]);
}

