/** The shell around `session-state`: one WebSocket to the gateway, tickets from the centre, frames to the players. */

import { explain, type Api } from "../api/client";
import { tickets } from "../api/types";
import { Store } from "../lib/store";
import { liveAddress, parseMedia, parseMessage, type MediaFrame } from "./codec";
import { LivePlayer } from "./player";
import { channelOf, EMPTY, step, type Effect, type LiveEvent, type LiveState, type Wanted } from "./session-state";

const TICK_MS = 500;
const TEND_MS = 200;
const PING_MS = 20_000;

export class LiveSession {
  readonly state = new Store<LiveState>(EMPTY);
  private socket: WebSocket | null = null;
  private readonly players = new Map<string, LivePlayer>();
  private readonly timers: number[];

  constructor(private readonly api: Api, private readonly gatewayOrigin: string) {
    this.timers = [
      window.setInterval(() => this.dispatch({ kind: "tick" }), TICK_MS),
      window.setInterval(() => this.players.forEach((player) => player.tend()), TEND_MS),
      window.setInterval(() => this.send({ type: "ping" }), PING_MS),
    ];
  }

  want(wanted: readonly Wanted[]): void {
    this.dispatch({ kind: "want", wanted });
  }

  again(tiles: readonly string[] | null): void {
    this.dispatch({ kind: "again", tiles });
  }

  /** Show this tile's pictures in `video`; returns how to stop. */
  attach(tile: string, video: HTMLVideoElement): () => void {
    const player = new LivePlayer(video, () => this.dispatch({ kind: "player-failed", tile }));
    this.players.set(tile, player);
    return () => {
      player.dispose();
      if (this.players.get(tile) === player) this.players.delete(tile);
    };
  }

  /** Capture instant of the picture that this tile shows; null when it shows none. */
  shownAt(tile: string): number | null {
    return this.players.get(tile)?.shownAt() ?? null;
  }

  dispose(): void {
    this.timers.forEach((timer) => window.clearInterval(timer));
    this.disconnect();
    this.players.forEach((player) => player.dispose());
    this.players.clear();
  }

  private dispatch(event: LiveEvent): void {
    const [next, effects] = step(this.state.get(), event, Date.now(), Math.random);
    this.state.set(next);
    for (const effect of effects) this.carryOut(effect);
  }

  private carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "connect":
        return this.connect();
      case "disconnect":
        return this.disconnect();
      case "send":
        return this.send(effect.message);
      case "blank":
        return this.players.get(effect.tile)?.blank();
      case "ask":
        void this.ask(effect.tiles);
    }
  }

  private async ask(tiles: readonly { readonly key: string; readonly wanted: Wanted }[]): Promise<void> {
    const keys = tiles.map((tile) => tile.key);
    const requests = tiles.map(({ wanted }) => ({ camera: wanted.camera, act: "live" as const, stream: wanted.stream }));
    const answer = await this.api.send("POST", "/api/tickets", { requests }, tickets);
    if (answer.kind === "ok") return this.dispatch({ kind: "tickets", keys, results: answer.value });
    const decided = answer.kind === "refused" && answer.status !== 429 && answer.status < 500;
    const code = decided ? answer.code : null;
    const reason = answer.kind === "refused" ? answer.reason : explain(answer);
    this.dispatch({ kind: "no-tickets", keys, reason, code });
  }

  private connect(): void {
    this.disconnect();
    const socket = new WebSocket(liveAddress(this.gatewayOrigin));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => this.socket === socket && this.dispatch({ kind: "linked" });
    socket.onclose = () => this.socket === socket && this.dispatch({ kind: "unlinked" });
    socket.onmessage = (event: MessageEvent<unknown>) => this.socket === socket && this.heard(event.data);
  }

  private disconnect(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private heard(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      const frame = parseMedia(data);
      if (frame !== null) this.show(frame);
      return;
    }
    const message = typeof data === "string" ? parseMessage(data) : null;
    if (message === null) return;
    this.dispatch({ kind: "message", message });
    if (message.type === "opened" || message.type === "format") this.playerOf(message.channel)?.setMime(message.mime);
  }

  private show(frame: MediaFrame): void {
    this.playerOf(frame.channel)?.take(frame);
  }

  private playerOf(channel: number): LivePlayer | undefined {
    const tile = this.state.get().tiles.find((one) => channelOf(one) === channel);
    return tile && this.players.get(tile.wanted.tile);
  }
}
