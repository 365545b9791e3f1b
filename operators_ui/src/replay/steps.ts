/** The pictures of a replay that a person stepped through one by one, until the gateway is told. Pure. */

/** Stepped through without playing or seeking between: instants of the earliest and the latest, and how many steps. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly frames: number;
}

/** Within what the gateway takes at once. */
export const MOST_STRETCHES = 50;
export const MOST_FRAMES = 10_000;

export class Steps {
  private stretches: Stretch[] = [];
  private goesOn = false;

  /** A step has brought the picture that was taken at `at` to the screen. */
  step(at: number): void {
    const last = this.stretches.at(-1);
    if (this.goesOn && last !== undefined && last.frames < MOST_FRAMES) {
      this.stretches[this.stretches.length - 1] = { from: Math.min(last.from, at), to: Math.max(last.to, at), frames: last.frames + 1 };
    } else {
      this.stretches.push({ from: at, to: at, frames: 1 });
    }
    this.goesOn = true;
  }

  /** The person plays, or goes elsewhere: the next step begins another stretch. */
  leave(): void {
    this.goesOn = false;
  }

  get isEmpty(): boolean {
    return this.stretches.length === 0;
  }

  /** What is to be told, the oldest first; it is told once. */
  take(): Stretch[] {
    this.goesOn = false;
    return this.stretches.splice(0, MOST_STRETCHES);
  }

  /** What could not be told after all is told with the next. */
  giveBack(untold: readonly Stretch[]): void {
    this.stretches.unshift(...untold);
    this.goesOn = false;
  }
}

/** As the gateway reads it. */
export const stepsBody = (told: readonly Stretch[]): string =>
  JSON.stringify({ stepped: told.map(({ from, to, frames }) => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), frames })) });
