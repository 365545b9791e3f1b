/** Asking again and again, one request at a time. What was known stays shown when a later try fails, with its failure. */

import { useEffect, useState } from "react";
import type { Answer, Failed, Refused } from "../api/client";
import { Store, useStore } from "./store";

export interface Polled<T> {
  readonly value: T | null;
  /** Why the newest try gave nothing; null when it gave `value`. */
  readonly problem: Refused | Failed | null;
}

export class Poller<T> {
  readonly state = new Store<Polled<T>>({ value: null, problem: null });
  private timer: ReturnType<typeof setTimeout> | null = null;
  private running = false;
  private again = false;
  private stopped = false;

  constructor(private readonly load: () => Promise<Answer<T>>, private readonly period_ms: number) {}

  /** Ask now; while a request is under way, once more after it. */
  readonly poke = (): void => {
    if (this.stopped) return;
    if (this.running) {
      this.again = true;
      return;
    }
    void this.round();
  };

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async round(): Promise<void> {
    this.running = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const answer = await this.load();
    this.running = false;
    if (this.stopped) return;
    const known = this.state.get().value;
    this.state.set(answer.kind === "ok" ? { value: answer.value, problem: null } : { value: known, problem: answer });
    const delay_ms = this.again ? 0 : this.period_ms;
    this.again = false;
    this.timer = setTimeout(this.poke, delay_ms);
  }
}

/** Poll while the component is on the screen. `load` must keep its identity (useCallback) while it asks the same thing. */
export function usePolled<T>(load: () => Promise<Answer<T>>, period_ms: number): Polled<T> & { poke: () => void } {
  const [empty] = useState(() => new Poller<T>(load, period_ms));
  const [poller, setPoller] = useState(empty);
  useEffect(() => {
    const mine = new Poller<T>(load, period_ms);
    setPoller(mine);
    mine.poke();
    return () => mine.stop();
  }, [load, period_ms]);
  return { ...useStore(poller.state), poke: poller.poke };
}
