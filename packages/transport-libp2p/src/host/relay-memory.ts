/** What a host remembers of relays beyond its run. */
import { bytesFromHex, hexFromBytes } from '@quorate/contracts';

/**
 * What a host remembers of relays beyond its run, for who kept it: the group that answered at each
 * address first, so that another one there is news, and the highest counter seen of each group, so that
 * a register that was put back to an earlier state is not believed (Z59).
 */
export type RelayRecords = {
  /** Address → group. */
  readonly groups: Readonly<Record<string, string>>;
  /** Group → counter of its newest certificate. */
  readonly counters: Readonly<Record<string, number>>;
  /** Group → its newest certificate, in hex: shown to its relays. */
  readonly receipts: Readonly<Record<string, string>>;
};

/** Where a host has what it remembers from, and where it goes. */
export type KeptRelays = {
  /** What `onRelays` was given last, by the run before; anything else counts as nothing. */
  readonly knownRelays?: unknown;
  /** There is more to remember of relays: of which groups they are, and how far those have come. */
  readonly onRelays?: (records: RelayRecords) => void;
};

/** Of each kind so many; a host has a handful of relays. */
const recordsMax = 16;
const keepMs = 60_000;

export class RelayMemory {
  readonly #groups: Map<string, string>;
  readonly #counters: Map<string, number>;
  readonly #receipts: Map<string, string>;
  readonly #keep: (records: RelayRecords) => void;
  /** Address → the group that was there before, of this run. */
  readonly #changed = new Map<string, string>();
  #keptMs = 0;

  /** `known` is checked: what does not fit is as if it were not there. */
  constructor(known: unknown, keep: (records: RelayRecords) => void = () => {}) {
    const { groups, counters, receipts } = (known ?? {}) as Partial<Record<string, unknown>>;
    this.#groups = mapOf(groups, isGroup);
    this.#counters = mapOf(counters, isCounter);
    this.#receipts = mapOf(receipts, isReceipt);
    this.#keep = keep;
  }

  /** The group that was met at this address before another one was; null where that never happened. */
  changedFrom(address: string): string | null {
    return this.#changed.get(address) ?? null;
  }

  counterOf(group: string): number {
    return this.#counters.get(group) ?? 0;
  }

  /** The newest certificate seen of this group. */
  receiptOf(group: string): Uint8Array | null {
    const hex = this.#receipts.get(group);
    return hex === undefined ? null : bytesFromHex(hex);
  }

  /** A relay proved that it is of this group, by `certificate`. */
  met(address: string, group: string, counter: number, certificate: Uint8Array): void {
    const before = this.#groups.get(address);
    if (before === group && this.counterOf(group) >= counter) return;
    if (before !== undefined && before !== group) this.#changed.set(address, before);
    set(this.#groups, address, group);
    set(this.#counters, group, Math.max(counter, this.counterOf(group)));
    set(this.#receipts, group, hexFromBytes(certificate));
    // A busy register comes further all the time.
    const nowMs = Date.now();
    if (before === group && Math.abs(nowMs - this.#keptMs) < keepMs) return;
    this.#keptMs = nowMs;
    this.#keep({
      groups: Object.fromEntries(this.#groups),
      counters: Object.fromEntries(this.#counters),
      receipts: Object.fromEntries(this.#receipts),
    });
  }
}

/** The newest stands last; the oldest goes. */
function set<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > recordsMax && oldest !== undefined) map.delete(oldest);
}

function mapOf<Value>(raw: unknown, fits: (value: unknown) => value is Value): Map<string, Value> {
  if (typeof raw !== 'object' || raw === null) return new Map();
  const entries = Object.entries(raw).filter((entry): entry is [string, Value] => fits(entry[1]));
  return new Map(entries.slice(0, recordsMax));
}

function isGroup(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}

function isReceipt(value: unknown): value is string {
  return typeof value === 'string' && /^(?:[0-9a-f]{2}){1,512}$/.test(value);
}

function isCounter(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
