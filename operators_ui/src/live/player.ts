/** Media Source Extensions for one tile: appends what arrives, stays at the live edge, knows when the shown picture was taken. */

import { decodeTimeOf, timescaleOf } from "./boxes";
import type { MediaFrame } from "./codec";
import { follow, trim, type Range } from "./edge";

type PlayerState =
  | { readonly kind: "empty" }
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly buffer: SourceBuffer }
  | { readonly kind: "failed" };

type Work =
  | { readonly kind: "append"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "clear" }
  | { readonly kind: "mime"; readonly mime: string };

const QUEUE_LIMIT_BYTES = 24 * 1024 * 1024;
const DEFAULT_TIMESCALE = 90_000;
/** A jump costs the decoding of a whole group of pictures: a machine that is too slow gets no faster by many. */
const SEEK_EVERY_MS = 3_000;
/** A fragment that starts this far from the one before belongs to another timeline. */
const JUMP_S = 3;

export class LivePlayer {
  private state: PlayerState = { kind: "empty" };
  private source: MediaSource | null = null;
  private address: string | null = null;
  private readonly queue: Work[] = [];
  private queued_bytes = 0;
  private mime = "";
  private timescale = DEFAULT_TIMESCALE;
  private needsKey = true;
  private edge_s: number | null = null;
  /** Capture instant minus media time of the newest fragment, milliseconds. */
  private origin_ms: number | null = null;
  private presented_s: number | null = null;
  private frameCallback = 0;
  private soughtAt_ms = Number.NEGATIVE_INFINITY;

  constructor(private readonly video: HTMLVideoElement, private readonly onFailed: () => void) {
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.addEventListener("error", this.failed);
    this.frameCallback = video.requestVideoFrameCallback(this.presented);
  }

  /** Capture instant of the picture on the screen, milliseconds UTC; null before the first picture. */
  shownAt(): number | null {
    return this.presented_s === null || this.origin_ms === null ? null : this.origin_ms + this.presented_s * 1_000;
  }

  /** The gateway named the format of what comes next; a failed player gets a new start. */
  setMime(mime: string): void {
    this.mime = mime;
    if (this.state.kind === "failed") this.state = { kind: "empty" };
  }

  take(frame: MediaFrame): void {
    if (this.state.kind === "failed") return;
    if (frame.kind === "init") return this.begin(frame.bytes);
    if (this.state.kind === "empty" || (this.needsKey && !frame.isKey)) return;
    this.needsKey = false;
    this.place(frame);
    this.push({ kind: "append", bytes: frame.bytes });
  }

  /** An init segment: the first one opens the source, a later one may change the codec. */
  private begin(init: Uint8Array<ArrayBuffer>): void {
    if (this.state.kind === "empty") this.open();
    else this.push({ kind: "mime", mime: this.mime });
    this.timescale = timescaleOf(init) ?? DEFAULT_TIMESCALE;
    this.needsKey = true;
    this.push({ kind: "append", bytes: init });
  }

  /** Remove the picture and everything that was buffered. */
  blank(): void {
    this.close();
    this.state = { kind: "empty" };
  }

  dispose(): void {
    this.video.removeEventListener("error", this.failed);
    this.video.cancelVideoFrameCallback(this.frameCallback);
    this.close();
    this.state = { kind: "failed" };
  }

  /** Called a few times a second: stay at the edge, and forget what is far behind it. */
  tend(): void {
    if (this.state.kind !== "open" || this.edge_s === null) return;
    const ranges = rangesOf(this.state.buffer);
    const { seek_s, rate } = follow(this.video.currentTime, this.presented_s, ranges, this.edge_s);
    const sinceSeek_ms = performance.now() - this.soughtAt_ms;
    if (seek_s !== null && sinceSeek_ms > SEEK_EVERY_MS) {
      this.soughtAt_ms = performance.now();
      this.video.currentTime = seek_s;
    }
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
    if (this.video.paused) void this.video.play().catch(() => undefined);
    const old = trim(this.video.currentTime, ranges);
    if (old !== null && !this.state.buffer.updating) this.state.buffer.remove(old.start_s, old.end_s);
  }

  private place(frame: MediaFrame): void {
    const ticks = decodeTimeOf(frame.bytes);
    if (ticks === null) return;
    const at_s = ticks / this.timescale;
    if (this.edge_s !== null && Math.abs(at_s - this.edge_s) > JUMP_S) {
      this.push({ kind: "clear" });
      this.soughtAt_ms = Number.NEGATIVE_INFINITY;
    }
    this.edge_s = at_s;
    this.origin_ms = frame.capturedAt - at_s * 1_000;
  }

  private open(): void {
    this.close();
    const source = new MediaSource();
    this.source = source;
    this.state = { kind: "opening" };
    this.address = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => this.opened(source), { once: true });
    this.video.src = this.address;
  }

  private opened(source: MediaSource): void {
    if (source !== this.source) return;
    try {
      const buffer = source.addSourceBuffer(typeOf(this.mime));
      buffer.mode = "segments";
      buffer.addEventListener("updateend", () => this.work());
      buffer.addEventListener("error", this.failed);
      this.state = { kind: "open", buffer };
      this.work();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.failed();
    }
  }

  private close(): void {
    this.queue.length = 0;
    this.queued_bytes = 0;
    this.needsKey = true;
    this.edge_s = this.origin_ms = this.presented_s = null;
    this.soughtAt_ms = Number.NEGATIVE_INFINITY;
    this.source = null;
    if (this.address === null) return;
    URL.revokeObjectURL(this.address);
    this.address = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  private push(work: Work): void {
    if (work.kind === "append") this.queued_bytes += work.bytes.byteLength;
    this.queue.push(work);
    if (this.queued_bytes > QUEUE_LIMIT_BYTES) this.failed();
    else this.work();
  }

  /** Hand the next piece of work to the browser; neighbouring fragments go in one append. */
  private work(): void {
    if (this.state.kind !== "open" || this.state.buffer.updating) return;
    const buffer = this.state.buffer;
    const first = this.queue.shift();
    if (first === undefined) return;
    try {
      if (first.kind === "append") buffer.appendBuffer(this.joined(first.bytes));
      else if (first.kind === "clear") this.clear(buffer);
      else this.changeType(buffer, first.mime);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.failed();
    }
  }

  private clear(buffer: SourceBuffer): void {
    if (buffer.buffered.length > 0) buffer.remove(0, Number.POSITIVE_INFINITY);
    else this.work();
  }

  private changeType(buffer: SourceBuffer, mime: string): void {
    buffer.changeType(typeOf(mime));
    this.work();
  }

  private joined(first: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const pieces = [first];
    while (this.queue[0]?.kind === "append") {
      const next = this.queue.shift();
      if (next?.kind === "append") pieces.push(next.bytes);
    }
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    this.queued_bytes -= size;
    if (pieces.length === 1) return first;
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    return whole;
  }

  private readonly presented = (_now: number, frame: VideoFrameCallbackMetadata): void => {
    this.presented_s = frame.mediaTime;
    this.frameCallback = this.video.requestVideoFrameCallback(this.presented);
  };

  private readonly failed = (): void => {
    if (this.state.kind === "failed" || this.state.kind === "empty") return;
    this.close();
    this.state = { kind: "failed" };
    this.onFailed();
  };
}

/** The gateway names either a whole MIME type or the codec alone (RFC 6381). */
function typeOf(mime: string): string {
  return mime.includes("/") ? mime : `video/mp4; codecs="${mime}"`;
}

function rangesOf(buffer: SourceBuffer): Range[] {
  const { buffered } = buffer;
  return Array.from({ length: buffered.length }, (_, i) => ({ start_s: buffered.start(i), end_s: buffered.end(i) }));
}
