/** The timeline of one camera: canvas, keyboard, and the same facts as a table. */

import { useCallback, useEffect, useRef, useState, type FormEvent, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { timeline as timelineBody, type Timeline } from "../api/types";
import { explain } from "../api/client";
import { usePolled } from "../lib/poll";
import { dayAndClock, HOUR_MS, MINUTE_MS } from "../lib/time";
import { fromLocal } from "../recording/local-input";
import { useDesk } from "../shell/context";
import { DateField } from "../shell/date-field";
import { fr } from "../strings";
import { colourOf, draw, HEIGHT_PX, type Scene } from "./draw";
import * as scale from "./scale";
import { TimelineTable } from "./timeline-table";

const PERIOD_MS = 4_000;
const PAINT_MS = 200;
const PRESETS: readonly (readonly [string, number])[] = [
  ["10 min", 10 * MINUTE_MS], ["1 h", HOUR_MS], ["6 h", 6 * HOUR_MS], ["24 h", 24 * HOUR_MS],
];

export interface TimelineProps {
  readonly camera: string;
  /** Instant of the picture on the screen. */
  readonly shown: number | null;
  readonly interval: scale.Window | null;
  readonly onPick: (at: number) => void;
}

export function TimelineView(props: TimelineProps): ReactNode {
  const { api, now } = useDesk();
  const [window_, setWindow] = useState(() => scale.untilNow(now(), HOUR_MS));
  const [following, setFollowing] = useState(true);
  const [cursor, setCursor] = useState<number | null>(null);
  const wanted = scale.loaded(window_);
  const query = `from=${new Date(wanted.from).toISOString()}&to=${new Date(wanted.to).toISOString()}`;
  const { value, problem } = usePolled(
    useCallback(() => api.get(`/api/cameras/${props.camera}/timeline?${query}`, timelineBody), [api, props.camera, query]),
    PERIOD_MS,
  );
  const data = useLast(value);
  const canvas = useRef<HTMLCanvasElement>(null);
  const look = (next: scale.Window): void => {
    setWindow(next);
    setFollowing(next.to >= now());
  };
  usePainting(canvas, { window: window_, data, now: now(), shown: props.shown, cursor, interval: props.interval });
  useFollowing(following, setWindow, now);
  useWheel(canvas, (factor, part) => {
    const anchor = window_.from + part * scale.span(window_);
    look(scale.zoom(window_, factor, anchor, now()));
  });

  const place = cursor ?? props.shown ?? now();
  const moveTo = (at: number): void => {
    const bounded = Math.min(at, now());
    setCursor(bounded);
    look(scale.showing(window_, bounded, now()));
  };
  const pressed = (event: KeyboardEvent): void => {
    const step = event.shiftKey ? scale.LARGE_STEP_MS : scale.SMALL_STEP_MS;
    if (event.key === "ArrowLeft") moveTo(place - step);
    else if (event.key === "ArrowRight") moveTo(place + step);
    else if (event.key === "+" || event.key === "=") look(scale.zoom(window_, 0.5, place, now()));
    else if (event.key === "-") look(scale.zoom(window_, 2, place, now()));
    else if (event.key === "PageUp") look(scale.pan(window_, -scale.span(window_) / 2, now()));
    else if (event.key === "PageDown") look(scale.pan(window_, scale.span(window_) / 2, now()));
    else if (event.key === "Home") look(scale.untilNow(now(), scale.span(window_)));
    else if (event.key === "Enter") props.onPick(place);
    else return;
    event.preventDefault();
  };

  return (
    <section className="timeline" aria-label={fr.timeline.title} data-testid="timeline" data-loaded={data !== null}>
      <div className="timeline-bar">
        <div className="segmented" role="group" aria-label={fr.timeline.title}>
          {PRESETS.map(([label, length_ms]) => (
            <button
              key={label} type="button" aria-pressed={Math.abs(scale.span(window_) - length_ms) < 1_000}
              onClick={() => look(scale.untilNow(Math.min(now(), Math.max(place, window_.to)), length_ms))}
            >
              {label}
            </button>
          ))}
        </div>
        <button type="button" onClick={() => look(scale.zoom(window_, 0.5, place, now()))} aria-label={fr.timeline.zoomIn}>+</button>
        <button type="button" onClick={() => look(scale.zoom(window_, 2, place, now()))} aria-label={fr.timeline.zoomOut}>−</button>
        <button type="button" onClick={() => look(scale.untilNow(now(), scale.span(window_)))}>{fr.timeline.now}</button>
        <GoTo onGo={moveTo} onPick={props.onPick} />
        <DayNote window={window_} />
        <span className="timeline-place">{cursor !== null && dayAndClock(cursor)}</span>
        <Legend data={data} window={window_} />
      </div>
      {problem && <p className="notice notice-warning" role="status">{problem.kind === "failed" && fr.timeline.unavailable} {explain(problem)}</p>}
      <TimelineCanvas
        canvas={canvas} window={window_} place={place} onKey={pressed} onHover={setCursor} onPick={props.onPick}
        onPan={(by_ms) => look(scale.pan(window_, by_ms, now()))}
      />
      {data && <TimelineTable data={data} window={window_} onPick={props.onPick} />}
    </section>
  );
}

/** A day and a time, typed: for what happened hours or days ago. */
function GoTo(props: { onGo: (at: number) => void; onPick: (at: number) => void }): ReactNode {
  const { now } = useDesk();
  const [isWrong, setWrong] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get("at");
    const at = fromLocal(String(text));
    const replays = (event.nativeEvent as SubmitEvent).submitter?.dataset["act"] !== "look";
    setWrong(at === null || at > now());
    if (at === null || at > now()) return;
    props.onGo(at);
    if (replays) props.onPick(at);
  };
  return (
    <form className="go-to" onSubmit={submit}>
      <label>{fr.timeline.goTo} <DateField kind="instant" name="at" required isWrong={isWrong} testid="go-to" /></label>
      <button type="submit" data-testid="go-to-replay">{fr.motif.submit}</button>
      <button type="submit" data-act="look" data-testid="go-to-look">{fr.timeline.look}</button>
      {isWrong && <small className="wrong" role="alert">{fr.timeline.notYet}</small>}
    </form>
  );
}

function TimelineCanvas(props: {
  canvas: { current: HTMLCanvasElement | null }; window: scale.Window; place: number; onKey: (event: KeyboardEvent) => void;
  onHover: (at: number | null) => void; onPick: (at: number) => void; onPan: (by_ms: number) => void;
}): ReactNode {
  const drag = useRef<{ x: number; moved: boolean } | null>(null);
  const at = (event: PointerEvent<HTMLCanvasElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return scale.timeAt(props.window, event.clientX - box.left, box.width);
  };
  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    props.onHover(at(event));
    if (drag.current === null) return;
    const by_px = event.clientX - drag.current.x;
    if (!drag.current.moved && Math.abs(by_px) < 4) return;
    drag.current = { x: event.clientX, moved: true };
    props.onPan((-by_px / event.currentTarget.clientWidth) * scale.span(props.window));
  };
  const up = (event: PointerEvent<HTMLCanvasElement>): void => {
    const clicked = drag.current !== null && !drag.current.moved;
    drag.current = null;
    if (clicked) props.onPick(at(event));
  };
  return (
    <canvas
      ref={props.canvas} className="timeline-canvas" tabIndex={0} role="slider" aria-label={fr.timeline.title}
      aria-description={fr.timeline.help} aria-valuemin={Math.round(props.window.from / 1_000)}
      aria-valuemax={Math.round(props.window.to / 1_000)} aria-valuenow={Math.round(props.place / 1_000)}
      aria-valuetext={dayAndClock(props.place)} title={fr.timeline.help} data-testid="timeline-canvas"
      data-from={new Date(props.window.from).toISOString()} data-to={new Date(props.window.to).toISOString()}
      onKeyDown={props.onKey} onPointerMove={move} onPointerUp={up} onPointerLeave={() => props.onHover(null)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag.current = { x: event.clientX, moved: false };
      }}
    />
  );
}

function Legend(props: { data: Timeline | null; window: scale.Window }): ReactNode {
  const told = props.data === null ? [] : [...props.data.gaps, ...props.data.interruptions];
  const causes = new Set(told.filter((one) => one.to > props.window.from && one.from < props.window.to).map((one) => one.cause));
  return (
    <ul className="legend">
      <li><i ref={coloured("#2f8f68")} />{fr.timeline.run}</li>
      {[...causes].map((cause) => <li key={cause}><i ref={coloured(colourOf(cause))} />{fr.cause(cause)}</li>)}
    </ul>
  );
}

const coloured = (colour: string) => (element: HTMLElement | null): void => {
  if (element) element.style.backgroundColor = colour;
};

function DayNote(props: { window: scale.Window }): ReactNode {
  const hours = scale.hoursOfDay((props.window.from + props.window.to) / 2);
  if (hours === 24) return null;
  return <span className="badge badge-warning">{hours === 25 ? fr.timeline.autumn : fr.timeline.spring}</span>;
}

/** The newest value that was not null: a move of the window keeps the old picture until the new one is there. */
function useLast<T>(value: T | null): T | null {
  const [last, setLast] = useState(value);
  useEffect(() => {
    if (value !== null) setLast(value);
  }, [value]);
  return value ?? last;
}

function useFollowing(following: boolean, set: (change: (window: scale.Window) => scale.Window) => void, now: () => number): void {
  useEffect(() => {
    if (!following) return;
    const timer = window.setInterval(() => set((one) => scale.untilNow(now(), scale.span(one))), 1_000);
    return () => window.clearInterval(timer);
  }, [following, set, now]);
}

function usePainting(canvas: { current: HTMLCanvasElement | null }, scene: Scene): void {
  const newest = useRef(scene);
  newest.current = scene;
  useEffect(() => {
    const paint = (): void => {
      const element = canvas.current;
      const context = element?.getContext("2d");
      if (!element || !context) return;
      const [width_px, ratio] = [element.clientWidth, window.devicePixelRatio];
      if (element.width !== Math.round(width_px * ratio)) element.width = Math.round(width_px * ratio);
      if (element.height !== Math.round(HEIGHT_PX * ratio)) element.height = Math.round(HEIGHT_PX * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      draw(context, width_px, newest.current);
    };
    paint();
    const timer = window.setInterval(paint, PAINT_MS);
    return () => window.clearInterval(timer);
  }, [canvas]);
}

/** The wheel zooms; React listens passively, so the page would scroll as well. */
function useWheel(canvas: { current: HTMLCanvasElement | null }, zoom: (factor: number, part: number) => void): void {
  const newest = useRef(zoom);
  newest.current = zoom;
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      newest.current(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX / element.clientWidth);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [canvas]);
}
