/** Drives the <video> of a replay: the instant of the shown picture, gaps announced when they are crossed, steps and speed. */

import type { Plan } from "../api/types";
import { Store } from "../lib/store";
import { clipAt, clips, gapBefore, mediaAt, wallAt, type PlanGap } from "./plan";
import type { Steps } from "./steps";

export const RATES = [0.5, 1, 2, 4] as const;
/** Length of a picture until the film itself has shown another one: the centre's cameras give 25 a second. */
const USUAL_FRAME_S = 1 / 25;
const GAP_SHOWN_MS = 2_000;

export interface ReplayShown {
  /** When the picture on the screen was taken, milliseconds UTC. */
  readonly instant: number | null;
  readonly playing: boolean;
  readonly rate: number;
  readonly gap: PlanGap | null;
  readonly ended: boolean;
  readonly failed: boolean;
}

export class ReplayPlayer {
  readonly shown = new Store<ReplayShown>({
    instant: null, playing: false, rate: 1, gap: null, ended: false, failed: false,
  });
  private clip = -1;
  private media_s = 0;
  private frame_s = USUAL_FRAME_S;
  private callback = 0;
  /** A step was asked for, and its picture is not on the screen yet. */
  private isStepping = false;
  private timer: number | null = null;

  constructor(
    private readonly video: HTMLVideoElement, private readonly plan: Plan, private readonly steps: Steps, url: string, from: number,
  ) {
    video.muted = true;
    video.crossOrigin = "use-credentials";
    video.addEventListener("loadedmetadata", () => this.begin(from), { once: true });
    video.addEventListener("play", this.follow);
    video.addEventListener("pause", this.follow);
    video.addEventListener("ended", this.finish);
    video.addEventListener("error", this.fail);
    this.callback = video.requestVideoFrameCallback(this.presented);
    if (clips(plan).length === 0) this.finish();
    else video.src = url;
  }

  dispose(): void {
    const { video } = this;
    if (this.timer !== null) window.clearTimeout(this.timer);
    video.removeEventListener("play", this.follow);
    video.removeEventListener("pause", this.follow);
    video.removeEventListener("ended", this.finish);
    video.removeEventListener("error", this.fail);
    video.cancelVideoFrameCallback(this.callback);
    video.removeAttribute("src");
    video.load();
  }

  toggle(): void {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  setRate(rate: number): void {
    this.video.playbackRate = rate;
    this.patch({ rate });
  }

  /** One picture further or back; stops first. Aims inside the picture, not at its very start. */
  frame(by: 1 | -1): void {
    this.video.pause();
    this.show(this.media_s + (by + 0.25) * this.frame_s);
    this.isStepping = true;
  }

  seek(at: number): void {
    this.jump(mediaAt(this.plan, at));
  }

  skip(by_s: number): void {
    this.jump(this.video.currentTime + by_s);
  }

  private begin(from: number): void {
    this.clip = -1;
    this.video.currentTime = mediaAt(this.plan, from);
    this.play();
  }

  private jump(media_s: number): void {
    this.endSteps();
    this.show(media_s);
  }

  private show(media_s: number): void {
    this.clearGap();
    const limit = Number.isFinite(this.video.duration) ? this.video.duration : 0;
    const target = Math.min(Math.max(0, media_s), Math.max(0, limit - this.frame_s / 2));
    this.clip = clipAt(this.plan, target);
    this.patch({ ended: false });
    this.video.currentTime = target;
  }

  private play(): void {
    this.endSteps();
    this.clearGap();
    this.patch({ ended: false });
    void this.video.play().catch(() => undefined);
  }

  private readonly presented = (_now: number, frame: VideoFrameCallbackMetadata): void => {
    this.callback = this.video.requestVideoFrameCallback(this.presented);
    const clip = clipAt(this.plan, frame.mediaTime);
    const gap = clip > this.clip ? gapBefore(this.plan, clip) : null;
    this.clip = clip;
    const advance_s = frame.mediaTime - this.media_s;
    if (!this.video.paused && this.video.playbackRate <= 1 && advance_s > 0.005 && advance_s < 0.5) this.frame_s = advance_s;
    this.media_s = frame.mediaTime;
    const instant = wallAt(this.plan, frame.mediaTime);
    if (this.isStepping && advance_s !== 0 && instant !== null) {
      this.isStepping = false;
      this.steps.step(instant);
    }
    this.patch({ instant });
    if (gap !== null && !this.video.paused) this.announce(gap);
  };

  /** A gap has no pictures: stop, say what is missing, go on. */
  private announce(gap: PlanGap): void {
    this.video.pause();
    this.patch({ gap });
    this.timer = window.setTimeout(() => this.play(), GAP_SHOWN_MS);
  }

  private clearGap(): void {
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.timer = null;
    this.patch({ gap: null });
  }

  private endSteps(): void {
    this.isStepping = false;
    this.steps.leave();
  }

  private readonly follow = (): void => this.patch({ playing: !this.video.paused });

  private readonly finish = (): void => {
    this.patch({ playing: false, ended: true, gap: gapBefore(this.plan, clips(this.plan).length) });
  };

  private readonly fail = (): void => this.patch({ failed: true, playing: false });

  private patch(change: Partial<ReplayShown>): void {
    const before = this.shown.get();
    const changed = (Object.keys(change) as (keyof ReplayShown)[]).some((key) => before[key] !== change[key]);
    if (changed) this.shown.set({ ...before, ...change });
  }
}
