/**
 * When the next request of a session begins. Whoever asks for more than his share is told once, and then
 * not read for a while: to decode and answer thousands of requests in order to refuse them would be
 * the very work that he has none left of.
 */

export type PaceOptions = {
  readonly stream: { pause(): void; resume(): void };
  readonly setTimeout: (callback: () => void, delayMs: number) => () => void;
  /**
   * `begun`: under way until `ended` is called. `refused`: answered with that. `later`: to be asked of
   * again, for it must not be refused. After the last two comes a pause.
   */
  readonly begin: (frame: Uint8Array) => 'begun' | 'refused' | 'later';
  readonly underWayMax?: number;
};

export const pauseMsMin = 500;
/** Half of what a host waits for an answer. */
export const pauseMsMax = 4_000;
const defaultUnderWayMax = 64;

export class Pace {
  readonly #options: PaceOptions;
  readonly #underWayMax: number;
  /** Of the piece that was read last; what follows stays in the stream, which is paused. */
  #held: Uint8Array[] = [];
  #underWay = 0;
  #pauseMs = pauseMsMin;
  #cancelPause: (() => void) | null = null;
  #isClosed = false;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#underWayMax = options.underWayMax ?? defaultUnderWayMax;
  }

  push(frame: Uint8Array): void {
    if (this.#isClosed) return;
    this.#held.push(frame);
    // While something waits, its end or a timer goes on.
    if (this.#held.length === 1) this.#go();
  }

  /** One that was under way has been answered. */
  ended(): void {
    this.#underWay -= 1;
    this.#go();
  }

  close(): void {
    this.#isClosed = true;
    this.#held = [];
    this.#cancelPause?.();
  }

  #go(): void {
    const { stream, begin } = this.#options;
    let next = 0;
    while (this.#cancelPause === null && this.#underWay < this.#underWayMax) {
      const frame = this.#held[next];
      if (frame === undefined || this.#isClosed) break;
      const verdict = begin(frame);
      if (verdict !== 'later') next += 1;
      if (verdict === 'begun') {
        this.#underWay += 1;
        this.#pauseMs = pauseMsMin;
      } else this.#pause();
    }
    if (this.#isClosed) return;
    this.#held.splice(0, next);
    if (this.#held.length > 0 || this.#cancelPause !== null) stream.pause();
    else stream.resume();
  }

  #pause(): void {
    this.#cancelPause = this.#options.setTimeout(() => {
      this.#cancelPause = null;
      this.#go();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMsMax);
  }
}
