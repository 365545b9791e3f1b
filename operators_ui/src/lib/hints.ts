/** The centre's server-sent events: names only, never data. Polling is the base; a hint only makes it ask at once. */

const NAMES = ["alarms", "cameras", "proposals", "recorder", "session"] as const;
export type HintName = (typeof NAMES)[number];

export class Hints {
  private readonly source: EventSource;
  private readonly watchers = new Map<HintName, Set<() => void>>(NAMES.map((name) => [name, new Set()]));

  constructor(address: string) {
    this.source = new EventSource(address);
    for (const name of NAMES) {
      this.source.addEventListener(name, () => this.watchers.get(name)?.forEach((watcher) => watcher()));
    }
  }

  on(name: HintName, watcher: () => void): () => void {
    this.watchers.get(name)?.add(watcher);
    return () => this.watchers.get(name)?.delete(watcher);
  }

  close(): void {
    this.source.close();
  }
}
