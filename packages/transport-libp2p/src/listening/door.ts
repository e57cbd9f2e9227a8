/**
 * How many may stand in the door of a listener, and how many may be inside. Pure counting: sockets
 * and times are the listener's.
 *
 * A connection is *pending* until both sides have proved who they are (their keys, not the secret).
 * Where a bound is met, whoever has said nothing for longest gives way: so somebody who opens sockets
 * and stays silent takes no place from anybody who speaks.
 */
import type { Clock } from '@quorate/contracts';

export type DoorLimits = {
  /** Connections of one address that are not upgraded yet. Default 32. */
  readonly pendingPerAddress: number;
  /** Connections of one address, pending ones too. Default 1,024. */
  readonly connectionsPerAddress: number;
  /** Connections in all. Default 4,096. */
  readonly connections: number;
};

export const defaultDoorLimits: DoorLimits = {
  pendingPerAddress: 32,
  connectionsPerAddress: 1_024,
  connections: 4_096,
};

/** What the door needs of a connection. */
export type Caller = {
  /** Whether it has said nothing since it came, or since it was last answered. */
  isSilent(): boolean;
  /** Ends it, for another one takes its place. */
  giveWay(): void;
};

export type Visit = {
  /** Tells whose connection it is; false: there are too many of that source. It has left then. */
  isOf(source: string | null): boolean;
  /** It is pending no more; false as above. `peer` is the source of who has none. */
  isUpgraded(peer: string): boolean;
  /** Idempotent. */
  leave(): void;
};

type Entry = {
  readonly caller: Caller;
  readonly sinceMs: number;
  /** Where it is counted; null while nobody knows. */
  source: Source | null;
  isHere: boolean;
};

type Source = { readonly name: string; readonly pending: Set<Entry>; count: number };

export class Door {
  readonly #limits: DoorLimits;
  readonly #clock: Clock;
  /** In the order in which they came. */
  readonly #pending = new Set<Entry>();
  readonly #sources = new Map<string, Source>();
  #count = 0;
  #gaveWay = 0;
  #refused = 0;

  constructor(limits: DoorLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Connections that were turned away, for too many of their source or in all were there. */
  get refused(): number {
    return this.#refused;
  }

  /** Connections that were ended in favour of another. */
  get gaveWay(): number {
    return this.#gaveWay;
  }

  /** Lets a connection in, or returns null where it has to go. `source`: see `sourceOf`. */
  enter(caller: Caller, source: string | null): Visit | null {
    if (this.#count >= this.#limits.connections && !this.#makeRoom(this.#pending)) {
      this.#refused += 1;
      return null;
    }
    const entry: Entry = { caller, sinceMs: this.#clock.now(), source: null, isHere: true };
    this.#count += 1;
    this.#pending.add(entry);
    const visit = this.#visit(entry);
    return visit.isOf(source) ? visit : null;
  }

  #visit(entry: Entry): Visit {
    const orLeave = (counted: boolean): boolean => {
      if (counted) return true;
      this.#refused += 1;
      this.#leave(entry);
      return false;
    };
    return {
      leave: () => this.#leave(entry),
      isOf: (source) => {
        if (!entry.isHere || source === null || entry.source?.name === source) return entry.isHere;
        this.#uncount(entry);
        return orLeave(this.#countAs(entry, source));
      },
      isUpgraded: (peer) => {
        if (!entry.isHere) return false;
        this.#pending.delete(entry);
        entry.source?.pending.delete(entry);
        return entry.source !== null || orLeave(this.#countAs(entry, peer));
      },
    };
  }

  #leave(entry: Entry): void {
    if (!entry.isHere) return;
    entry.isHere = false;
    this.#count -= 1;
    this.#pending.delete(entry);
    this.#uncount(entry);
  }

  /** Counts a connection as one of a source, which has none yet; false where that has too many. */
  #countAs(entry: Entry, name: string): boolean {
    const source = this.#sources.get(name) ?? { name, pending: new Set<Entry>(), count: 0 };
    const { pendingPerAddress, connectionsPerAddress } = this.#limits;
    const isPending = this.#pending.has(entry);
    const isFull =
      source.count >= connectionsPerAddress ||
      (isPending && source.pending.size >= pendingPerAddress);
    if (isFull && !this.#makeRoom(source.pending)) return false;
    this.#sources.set(name, source);
    source.count += 1;
    if (isPending) source.pending.add(entry);
    entry.source = source;
    return true;
  }

  #uncount(entry: Entry): void {
    const { source } = entry;
    if (source === null) return;
    entry.source = null;
    source.pending.delete(entry);
    source.count -= 1;
    if (source.count === 0) this.#sources.delete(source.name);
  }

  /** Has one of these give way: the oldest silent one, else the oldest if it is slow. */
  #makeRoom(pending: ReadonlySet<Entry>): boolean {
    let chosen: Entry | null = null;
    for (const entry of pending) {
      if (entry.caller.isSilent()) {
        chosen = entry;
        break;
      }
      if (this.#clock.now() - entry.sinceMs >= slowMs) chosen ??= entry;
    }
    if (chosen === null) return false;
    this.#gaveWay += 1;
    this.#leave(chosen);
    chosen.caller.giveWay();
    return true;
  }
}

/** An honest upgrade takes a few round trips; who is half-way after so long may give way. */
const slowMs = 1_000;
