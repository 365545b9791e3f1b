/** One camera's replay: the reason asked once, a ticket for each interval, and the lease that it opens at the gateway. */

import { ask, nothing, type Api, type Failed, type Fetch, type Refused } from "../api/client";
import { playback as playbackBody, tickets, type Playback } from "../api/types";
import { Store } from "../lib/store";
import { fr } from "../strings";
import type { Interval } from "./interval";
import { clips } from "./plan";
import { Steps, stepsBody } from "./steps";

export interface GivenMotif {
  readonly code: string;
  readonly reference: string | null;
}

export type ReplayState =
  | { readonly kind: "live" }
  /** `given`: what was typed and refused, to be put right. */
  | { readonly kind: "motif"; readonly interval: Interval; readonly problem: Refused | null; readonly given: GivenMotif | null }
  | { readonly kind: "preparing"; readonly interval: Interval }
  | { readonly kind: "stopped"; readonly interval: Interval; readonly problem: Refused | Failed }
  | { readonly kind: "playing"; readonly interval: Interval; readonly playback: Playback; readonly url: string; readonly steps: Steps };

const OF_THE_REASON = new Set(["MOTIF_REQUIRED", "PLATE_FORBIDDEN", "REFERENCE_REFUSED"]);

export class ReplayController {
  readonly state = new Store<ReplayState>({ kind: "live" });
  private motif: GivenMotif | null = null;
  /** Counts requests: an answer to an earlier one is thrown away. */
  private serial = 0;

  constructor(
    private readonly api: Api, private readonly fetcher: Fetch, private readonly gatewayOrigin: string,
    private readonly camera: string,
  ) {}

  /** Replay this interval, with the reason given before in this view, or after asking for one. */
  async want(interval: Interval): Promise<void> {
    this.release();
    if (this.motif === null) this.state.set({ kind: "motif", interval, problem: null, given: null });
    else await this.open(interval, this.motif);
  }

  async give(motif: GivenMotif): Promise<void> {
    const state = this.state.get();
    if (state.kind !== "motif") return;
    this.motif = motif;
    await this.open(state.interval, motif);
  }

  /**
   * Whether the lease still stands: the browser may hold much of the film already, and a right that is withdrawn ends
   * the picture, not only the bytes. Asks for one byte, which also keeps the lease of a film that is paused.
   */
  async check(): Promise<void> {
    const state = this.state.get();
    if (state.kind !== "playing" || clips(state.playback.plan).length === 0) return;
    const init: RequestInit = { headers: { Range: "bytes=0-0" }, credentials: "include", cache: "no-store" };
    const answer = await ask(this.fetcher, state.url, init, nothing);
    if (answer.kind !== "refused" || this.state.get() !== state) return;
    this.serial++;
    this.state.set({ kind: "stopped", interval: state.interval, problem: answer });
  }

  /**
   * Tell the gateway which pictures were stepped through since it was last told: only this page knows. Also as the page
   * is closed: `keepalive`, and a plain body, for which no browser asks the gateway for leave first.
   */
  async tell(): Promise<void> {
    const state = this.state.get();
    if (state.kind !== "playing") return;
    const told = state.steps.take();
    if (told.length === 0) return;
    const init: RequestInit = { method: "POST", credentials: "include", cache: "no-store", keepalive: true, body: stepsBody(told) };
    const answer = await ask(this.fetcher, `${this.gatewayOrigin}/playback/${state.playback.lease}/stepped`, init, nothing);
    if (answer.kind === "failed") state.steps.giveBack(told);
  }

  backToLive(): void {
    this.release();
    this.serial++;
    this.state.set({ kind: "live" });
  }

  dispose(): void {
    this.backToLive();
  }

  private async open(interval: Interval, motif: GivenMotif): Promise<void> {
    const mine = ++this.serial;
    this.state.set({ kind: "preparing", interval });
    const next = await this.opened(interval, motif);
    if (mine === this.serial) this.state.set(next);
    else if (next.kind === "playing") this.end(next.playback.lease);
  }

  private async opened(interval: Interval, motif: GivenMotif): Promise<ReplayState> {
    const [from, to] = [new Date(interval.from).toISOString(), new Date(interval.to).toISOString()];
    const requests = [{ camera: this.camera, act: "replay", from, to, motif }];
    const answer = await this.api.send("POST", "/api/tickets", { requests }, tickets);
    if (answer.kind !== "ok") return { kind: "stopped", interval, problem: answer };
    const [result] = answer.value;
    if (result === undefined) return { kind: "stopped", interval, problem: { kind: "failed", reason: fr.failure.noReason } };
    if ("refused" in result) return this.refused(interval, { kind: "refused", status: 200, ...result.refused });
    const opened = await this.redeem(result.ticket);
    if (opened.kind !== "ok") return { kind: "stopped", interval, problem: opened };
    return { kind: "playing", interval, playback: opened.value, url: this.gatewayOrigin + opened.value.url, steps: new Steps() };
  }

  /** A refusal about the reason itself is put right in the dialog; any other ends the request. */
  private refused(interval: Interval, problem: Refused): ReplayState {
    if (!OF_THE_REASON.has(problem.code)) return { kind: "stopped", interval, problem };
    const given = this.motif;
    this.motif = null;
    return { kind: "motif", interval, problem, given };
  }

  private redeem(ticket: string): ReturnType<typeof ask<Playback>> {
    const init: RequestInit = {
      method: "POST", credentials: "include", cache: "no-store",
      headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ticket }),
    };
    return ask(this.fetcher, `${this.gatewayOrigin}/playback`, init, playbackBody);
  }

  /** What is still to be told goes first: a lease that was given back takes no word any more. */
  private release(): void {
    const state = this.state.get();
    if (state.kind !== "playing") return;
    if (state.steps.isEmpty) this.end(state.playback.lease);
    else void this.tell().then(() => this.end(state.playback.lease));
  }

  private end(lease: string): void {
    const init: RequestInit = { method: "DELETE", credentials: "include", keepalive: true };
    void ask(this.fetcher, `${this.gatewayOrigin}/playback/${lease}`, init, nothing);
  }
}
