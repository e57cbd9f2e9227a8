/**
 * The recent past: every revision's events, part of the replicated state. Watches read from it,
 * reads of earlier revisions undo it. Kept: at most so many revisions and bytes, but always the
 * newest one, so that whoever is up to date never misses the next.
 */
import { assert } from '@quorate/contracts';
import type { HistoryLimits } from './limits.ts';
import { selects } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import { keyBytes } from './record.ts';
import type { KeySelector } from './types.ts';

/** A put has a record, a deletion has none; `previous` is what the key held before. */
export type HistoryEvent = {
  readonly key: string;
  readonly record: KvRecord | null;
  readonly previous: KvRecord | null;
};

export type HistoryRevision = {
  readonly revision: number;
  /** In the order in which they were written; at least one. */
  readonly events: readonly HistoryEvent[];
  readonly costBytes: number;
};

/** A past that stays as it is while the live one goes on. */
export type HistoryCapture = {
  readonly oldestRevision: number;
  readonly revisions: () => Iterable<HistoryRevision>;
};

export class History {
  readonly #limits: HistoryLimits;
  // Appended at the end; what is trimmed stays in front of #first until it is worth a new array.
  // Captures hold the old array: it is never changed but by appending.
  #revisions: HistoryRevision[] = [];
  #first = 0;
  #costBytes = 0;
  #newestRevision: number;

  constructor(limits: HistoryLimits, newestRevision: number = 0) {
    this.#limits = limits;
    this.#newestRevision = newestRevision;
  }

  /** The first revision kept; one past the newest where none is. */
  get oldestRevision(): number {
    return this.#newestRevision - this.#length + 1;
  }

  append(revision: number, events: readonly HistoryEvent[]): void {
    assert(revision === this.#newestRevision + 1, 'history revisions are consecutive');
    const entry = historyRevision(revision, events);
    this.#revisions.push(entry);
    this.#newestRevision = revision;
    this.#costBytes += entry.costBytes;
  }

  /** How many of the oldest revisions are beyond the limits. */
  get excess(): number {
    const { revisionCountMax, bytesMax } = this.#limits;
    let count = Math.max(0, this.#length - revisionCountMax);
    let bytes = this.#costBytes;
    for (let place = 0; place < count; place += 1) bytes -= this.#at(place).costBytes;
    while (bytes > bytesMax && count < this.#length - 1) {
      bytes -= this.#at(count).costBytes;
      count += 1;
    }
    return count;
  }

  /** Forgets the `count` oldest. */
  trim(count: number): void {
    for (let place = 0; place < count; place += 1) this.#costBytes -= this.#at(place).costBytes;
    this.#first += count;
    if (this.#first > 64 && this.#first * 2 > this.#revisions.length) {
      this.#revisions = this.#revisions.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Undefined outside the history. */
  get(revision: number): HistoryRevision | undefined {
    const place = revision - this.oldestRevision;
    return place < 0 ? undefined : this.#revisions[this.#first + place];
  }

  /** Did something selected change after `revision`? Null where the history does not reach back. */
  changedSince(selector: KeySelector, revision: number): boolean | null {
    if (revision + 1 < this.oldestRevision) return null;
    for (let next = revision + 1; next <= this.#newestRevision; next += 1) {
      if (this.get(next)?.events.some(({ key }) => selects(selector, key)) === true) return true;
    }
    return false;
  }

  capture(): HistoryCapture {
    const revisions = this.#revisions;
    const first = this.#first;
    const end = revisions.length;
    return {
      oldestRevision: this.oldestRevision,
      revisions: function* () {
        for (let place = first; place < end; place += 1) {
          const revision = revisions[place];
          if (revision !== undefined) yield revision;
        }
      },
    };
  }

  get #length(): number {
    return this.#revisions.length - this.#first;
  }

  #at(place: number): HistoryRevision {
    const revision = this.#revisions[this.#first + place];
    assert(revision !== undefined, 'history is read inside its bounds');
    return revision;
  }
}

function historyRevision(revision: number, events: readonly HistoryEvent[]): HistoryRevision {
  let costBytes = 0;
  for (const { key, record, previous } of events) {
    costBytes += keyBytes(key) + (record?.value.length ?? 0) + (previous?.value.length ?? 0) + 64;
  }
  return { revision, events, costBytes };
}
