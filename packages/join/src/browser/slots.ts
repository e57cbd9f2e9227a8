/**
 * Which tab runs which replica of a browser profile (DESIGN §13). A profile owns a fixed number of
 * slots per namespace, one replica each; a slot is a Web Lock, held by the tab that runs its replica
 * and never stolen (Z2).
 *
 * Every tab queues for every slot that it has not got, so a tab that closes or crashes leaves its
 * slots to others within milliseconds. A tab with several hands one to a tab that asks: it says to
 * whom (Z20), lets go, and whoever else is in the queue steps aside.
 */
import type { Clock } from '@quorate/contracts';

/** What is needed of `navigator.locks`. */
export type SlotLocks = {
  request<T>(
    name: string,
    options: { readonly ifAvailable?: true; readonly signal?: AbortSignal },
    callback: (lock: unknown) => T | Promise<T>,
  ): Promise<T>;
  /** Absent in tests' simpler locks only. */
  query?(): Promise<{
    readonly held?: readonly { readonly name?: string; readonly clientId?: string }[];
  }>;
};

/** What is needed of a `BroadcastChannel`. */
export type SlotChannel = {
  postMessage(message: SlotMessage): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
};

export type SlotMessage =
  /** A tab would run one more; `count` it has, and whether a person looks at it. */
  | {
      readonly type: 'want';
      readonly tab: string;
      readonly count: number;
      readonly visible: boolean;
    }
  /** The slot is about to come free, for the tab named. */
  | { readonly type: 'give'; readonly slot: number; readonly to: string }
  /** The tab named gets none from this one. */
  | { readonly type: 'keep'; readonly tab: string; readonly to: string }
  /** A hidden tab has more than one. */
  | { readonly type: 'offer' }
  /** A tab's clock is slowed down: whoever has a better one may lead. */
  | { readonly type: 'slow' }
  /** These replicas would lead better than those of a hidden tab: a person looks at theirs. */
  | { readonly type: 'shown'; readonly replicas: readonly string[] };

export type SlotsOptions = {
  /** Names locks and channel: the realm and the namespace. */
  readonly name: string;
  /** Slots of the profile; the same in all its tabs. */
  readonly count: number;
  readonly tab: string;
  readonly locks: SlotLocks;
  readonly channel: SlotChannel;
  readonly clock: Clock;
  readonly events: SlotEvents;
};

export type SlotEvents = {
  /** Run its replica from now on. Called for every slot but the one that `first` resolves with. */
  adopted(slot: number): void;
  /**
   * Stop its replica; the lock is released once this resolves. False: it cannot be spared, such as
   * the one that the page itself reads from.
   */
  spare(slot: number): Promise<void> | false;
  /** Is a replica that nobody runs needed for a majority now? */
  isNeeded(): boolean;
  isVisible(): boolean;
  /** Does the clock of this tab beat too slowly for a leader? */
  isSlow(): boolean;
  /** The replicas that this tab runs. */
  replicas(): readonly string[];
  /** Another tab is looked at, or has a better clock: a hidden leader lets one of these lead. */
  yieldTo(replicas: readonly string[]): void;
};

type Held = {
  readonly release: () => void;
  /** Held, but not run yet: somebody who reloads may want it back (Z20). */
  waiting: boolean;
  /** Is it time to run it? Asked again and again while it waits. */
  look: () => void;
  sparing: boolean;
};

export class Slots {
  readonly #options: SlotsOptions;
  readonly #held = new Map<number, Held>();
  readonly #queued = new Map<number, AbortController>();
  /** Slots promised to other tabs, and until when the promise is believed. */
  readonly #promised = new Map<number, number>();
  #first: ((slot: number | null) => void) | null = null;
  /** Tabs that keep what they have from this one. */
  readonly #keepers = new Set<string>();
  /** How many tabs had slots to give when this one asked; null before it has. */
  #holderCount: number | null = null;
  /** A slot was promised to this tab: it is worth waiting for. */
  #awaited = false;
  #closed = false;

  constructor(options: SlotsOptions) {
    this.#options = options;
    options.channel.onmessage = ({ data }: MessageEvent) => this.#heard(data as SlotMessage);
  }

  /** Slots whose replicas this tab runs or is about to. */
  get count(): number {
    return this.#held.size;
  }

  get hasAll(): boolean {
    return this.#held.size === this.#options.count;
  }

  /**
   * The slot that this page lives from: a free one, or one that another tab hands over; null when no
   * tab has one to spare, or when it was closed meanwhile. All others that are free are adopted.
   */
  async first(): Promise<number | null> {
    const { count, clock, locks, channel, tab, events } = this.#options;
    for (let slot = 0; slot < count && this.#held.size === 0; slot++) {
      await this.#try(slot);
      if (this.#closed) return null;
    }
    const [free] = this.#held.keys();
    if (free !== undefined) {
      this.#queueForAll();
      return free;
    }
    const granted = new Promise<number | null>((resolve) => {
      this.#first = (slot) => {
        this.#first = null;
        resolve(slot);
      };
    });
    this.#queueForAll();
    const holders = await holdersOf(locks, this.#options);
    this.#holderCount = holders?.count ?? null;
    channel.postMessage({ type: 'want', tab, count: 0, visible: events.isVisible() });
    clock.setTimeout(
      () => {
        if (!this.#awaited) this.#first?.(null);
        else clock.setTimeout(() => this.#first?.(null), handOverMs);
      },
      (holders?.haveSurplus ?? true) ? surplusAnswerMs : answerMs,
    );
    return granted;
  }

  /** What `isNeeded` says may have changed. */
  look(): void {
    for (const held of [...this.#held.values()]) if (held.waiting) held.look();
  }

  /** The person looks at this tab: it should hold a majority of what hidden tabs could spare. */
  shown(): void {
    const { channel, clock, tab, count, events } = this.#options;
    // Flipping through tabs moves nothing.
    clock.setTimeout(() => {
      if (this.#closed || !events.isVisible()) return;
      channel.postMessage({ type: 'shown', replicas: events.replicas() });
      if (this.count > count / 2) return;
      channel.postMessage({ type: 'want', tab, count: this.count, visible: true });
    }, settleMs);
  }

  /** Nobody looks at this tab any more, which may slow down its clock. */
  hidden(): void {
    if (this.#closed || !this.#options.events.isSlow()) return;
    this.#options.channel.postMessage({ type: 'slow' });
  }

  /** The replica of a slot stopped by itself: others may try, and later this tab again. */
  giveUp(slot: number): void {
    this.#held.get(slot)?.release();
    this.#held.delete(slot);
    this.#options.clock.setTimeout(() => this.#queue(slot), retryMs);
  }

  /** Lets go of everything, synchronously (Z6). */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const queued of this.#queued.values()) queued.abort();
    this.#queued.clear();
    for (const { release } of this.#held.values()) release();
    this.#held.clear();
    this.#first?.(null);
    this.#options.channel.onmessage = null;
    this.#options.channel.close();
  }

  /** Takes a slot if nobody has it. */
  async #try(slot: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#options.locks
        .request(this.#lockName(slot), { ifAvailable: true }, (lock) => {
          const held = lock === null || this.#closed ? undefined : this.#hold(slot);
          resolve();
          return held;
        })
        .catch(reject);
    });
  }

  #queueForAll(): void {
    for (let slot = 0; slot < this.#options.count; slot++) this.#queue(slot);
  }

  #queue(slot: number): void {
    if (this.#closed || this.#held.has(slot) || this.#queued.has(slot)) return;
    const ended = new AbortController();
    this.#queued.set(slot, ended);
    this.#options.locks
      .request(this.#lockName(slot), { signal: ended.signal }, () => {
        if (this.#queued.get(slot) === ended) this.#queued.delete(slot);
        if (this.#closed || ended.signal.aborted) return undefined;
        return this.#granted(slot);
      })
      // Aborted: by a close, or to let another tab pass.
      .catch(() => undefined);
  }

  /** The callback's promise is what holds the lock. */
  #granted(slot: number): Promise<void> | undefined {
    if (this.#isPromised(slot)) {
      this.#stepAside(slot);
      return undefined;
    }
    const holding = this.#hold(slot);
    if (this.#first !== null) {
      this.#awaited = false;
      this.#first(slot);
    } else if (this.#awaited) {
      this.#awaited = false;
      this.#options.events.adopted(slot);
    } else {
      this.#adoptLater(slot);
    }
    return holding;
  }

  #hold(slot: number): Promise<void> {
    return new Promise((release) => {
      this.#held.set(slot, { release, waiting: false, look: () => {}, sparing: false });
    });
  }

  /** Z20: whoever left may only be reloading, so its slot is kept for a while, unless it is needed. */
  #adoptLater(slot: number): void {
    const { clock, events } = this.#options;
    const held = this.#held.get(slot);
    if (held === undefined) return;
    held.waiting = true;
    const untilMs = clock.now() + reloadMs;
    held.look = (): void => {
      if (this.#held.get(slot) !== held || !held.waiting) return;
      if (!events.isNeeded() && clock.now() < untilMs) return;
      held.waiting = false;
      events.adopted(slot);
      if (!events.isVisible() && this.count > 1) {
        this.#options.channel.postMessage({ type: 'offer' });
      }
    };
    const watch = (): void => {
      held.look();
      if (this.#held.get(slot) === held && held.waiting) clock.setTimeout(watch, lookMs);
    };
    watch();
  }

  #heard(message: SlotMessage): void {
    const { tab, clock, events } = this.#options;
    switch (message.type) {
      case 'want':
        this.#answer(message);
        break;
      case 'give':
        if (message.to === tab) {
          this.#awaited = true;
          this.#promised.delete(message.slot);
          this.#queue(message.slot);
          // A promise that is not kept does not make the next free slot ours at once.
          clock.setTimeout(() => {
            if (this.#first === null) this.#awaited = false;
          }, handOverMs);
        } else {
          this.#promised.set(message.slot, clock.now() + promiseMs);
          if (this.#queued.has(message.slot)) this.#stepAside(message.slot);
          else this.#passOn(message.slot, message.to);
        }
        break;
      case 'keep':
        if (message.to === tab) this.#keptBy(message.tab);
        break;
      case 'offer':
        if (events.isVisible()) this.shown();
        break;
      case 'slow': {
        const replicas = events.replicas();
        if (events.isSlow() || replicas.length === 0) break;
        this.#options.channel.postMessage({ type: 'shown', replicas });
        break;
      }
      case 'shown':
        if (!events.isVisible()) events.yieldTo(message.replicas);
        break;
    }
  }

  /** All who could give have answered: there is nothing to wait for. */
  #keptBy(tab: string): void {
    this.#keepers.add(tab);
    if (this.#holderCount === null || this.#awaited) return;
    if (this.#keepers.size >= this.#holderCount) this.#first?.(null);
  }

  /** A lock may come before the word that it was meant for another tab. */
  #passOn(slot: number, to: string): void {
    const held = this.#held.get(slot);
    if (held === undefined || held.sparing) return;
    const spared = held.waiting ? Promise.resolve() : this.#options.events.spare(slot);
    if (spared !== false) this.#give(slot, held, to, spared);
  }

  /** Leaves the queue of a slot that was promised to another tab, and comes back later. */
  #stepAside(slot: number): void {
    this.#queued.get(slot)?.abort();
    this.#queued.delete(slot);
    this.#options.clock.setTimeout(() => this.#queue(slot), promiseMs);
  }

  #isPromised(slot: number): boolean {
    return (this.#promised.get(slot) ?? Number.NEGATIVE_INFINITY) > this.#options.clock.now();
  }

  #answer(want: Extract<SlotMessage, { type: 'want' }>): void {
    if (this.#gives(want) || want.count > 0 || this.count === 0) return;
    const { channel, tab } = this.#options;
    channel.postMessage({ type: 'keep', tab, to: want.tab });
  }

  #gives(want: Extract<SlotMessage, { type: 'want' }>): boolean {
    const { events, count } = this.#options;
    const mine = this.count;
    // A tab without any gets one from whoever has two; a visible one a majority of those of hidden ones.
    const needsMore = want.visible && !events.isVisible() && want.count <= count / 2;
    const idle = [...this.#held].find(([, held]) => held.waiting);
    if (idle !== undefined && want.count === 0) {
      this.#give(idle[0], idle[1], want.tab, Promise.resolve());
      return true;
    }
    if (mine < 2 || (want.count > 0 && !needsMore)) return false;
    for (const [slot, held] of [...this.#held].reverse()) {
      if (held.sparing) continue;
      const spared = held.waiting ? Promise.resolve() : events.spare(slot);
      if (spared === false) continue;
      this.#give(slot, held, want.tab, spared);
      return true;
    }
    return false;
  }

  #give(slot: number, held: Held, to: string, spared: Promise<void>): void {
    held.sparing = true;
    held.waiting = false;
    this.#options.channel.postMessage({ type: 'give', slot, to });
    const release = (): void => {
      if (this.#held.get(slot) !== held) return;
      this.#held.delete(slot);
      this.#promised.set(slot, this.#options.clock.now() + promiseMs);
      held.release();
      this.#stepAside(slot);
    };
    // One that could not be stopped in good order is stopped all the same.
    spared.then(release, release);
  }

  #lockName(slot: number): string {
    return slotLockName(this.#options.name, slot);
  }
}

/** The lock of a slot, beside those of stores and links, which have names of their own. */
export function slotLockName(name: string, slot: number): string {
  return `quorate ${name} slot ${slot}`;
}

/** Who holds slots; where one has two of them, one is handed over, however busy that tab is. */
async function holdersOf(
  locks: SlotLocks,
  { name, count }: { readonly name: string; readonly count: number },
): Promise<{ readonly count: number; readonly haveSurplus: boolean } | null> {
  if (locks.query === undefined) return null;
  const { held = [] } = await locks.query();
  const names = new Set(Array.from({ length: count }, (_, slot) => slotLockName(name, slot)));
  const holders = held.filter((one) => names.has(one.name ?? '')).map((one) => one.clientId);
  const tabs = new Set(holders);
  return { count: tabs.size, haveSurplus: tabs.size < holders.length };
}

/** A tab that reloads is back within this time (Z20). */
const reloadMs = 1_500;
const lookMs = 25;
/** How long a promise keeps other tabs out of the queue. */
const promiseMs = 1_500;
/** For a tab that has promised a slot to stop its replica. */
const handOverMs = 5_000;
/** Whoever is asked answers at once, unless it stands still or is of an older release. */
const answerMs = 60;
const surplusAnswerMs = 2_000;
const settleMs = 500;
const retryMs = 5_000;
