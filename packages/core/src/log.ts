/**
 * The log in memory, from the last compaction on, with the marks that move over it.
 *
 * Invariants: prev.index <= snapshot.index <= lastApplied <= handedIndex <= commitIndex <= lastIndex
 * and durableIndex < unstableFrom <= lastIndex + 1; handed-out entries are durable.
 */
import { assert } from './assert.ts';
import type { Entry, EntryId, SnapshotMeta } from './types.ts';

export class Log {
  /** The entry before the first: compacted away, or the empty log's. */
  #prev: EntryId;
  #entries: Entry[];
  #snapshot: SnapshotMeta | null;
  #commitIndex: number;
  #handedIndex: number;
  #lastApplied: number;
  #durableIndex: number;
  #unstableFrom: number;
  /** Batches not yet durable that hold entries, oldest first. */
  #writes: Write[] = [];
  #sliced: Sliced | null = null;

  /** `entries` and everything before them are durable. The caller checked all of it. */
  constructor(initial: InitialLog) {
    const first = initial.entries[0];
    this.#snapshot = initial.snapshot;
    this.#prev = initial.prev;
    assert(first === undefined || first.index === this.#prev.index + 1, 'entries follow prev');
    this.#entries = [...initial.entries];
    this.#commitIndex = initial.commitIndex;
    this.#lastApplied = initial.appliedIndex;
    this.#handedIndex = initial.appliedIndex;
    this.#durableIndex = this.lastIndex;
    this.#unstableFrom = this.lastIndex + 1;
  }

  get prev(): EntryId {
    return this.#prev;
  }

  get firstIndex(): number {
    return this.#prev.index + 1;
  }

  get lastIndex(): number {
    return this.#prev.index + this.#entries.length;
  }

  get lastEntry(): EntryId {
    const last = this.#entries.at(-1);
    return last === undefined ? this.#prev : { term: last.term, index: last.index };
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#prev.term;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get lastApplied(): number {
    return this.#lastApplied;
  }

  /** Entries up to here were given out to be applied. */
  get handedIndex(): number {
    return this.#handedIndex;
  }

  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** The first entry that is in no batch yet. */
  get unstableFrom(): number {
    return this.#unstableFrom;
  }

  get snapshot(): SnapshotMeta | null {
    return this.#snapshot;
  }

  /** The term of the entry at `index`, or null where this log does not reach. */
  termAt(index: number): number | null {
    if (index === this.#prev.index) return this.#prev.term;
    return this.#entries[index - this.#prev.index - 1]?.term ?? null;
  }

  /** Entries [from, to). The array is shared between equal calls: never write to it. */
  slice(from: number, to: number): readonly Entry[] {
    const sliced = this.#sliced;
    if (sliced !== null && sliced.from === from && sliced.to === to) return sliced.entries;
    assert(from > this.#prev.index && to <= this.lastIndex + 1, 'the slice lies inside the log');
    const entries = this.#entries.slice(from - this.#prev.index - 1, to - this.#prev.index - 1);
    this.#sliced = { from, to, entries };
    return entries;
  }

  /**
   * The end (exclusive) of a run of entries from `from` that holds at most `bytesMax` bytes of data
   * and ends before `end`; at least one entry, if there is one.
   */
  runEnd(from: number, end: number, bytesMax: number): number {
    let to = from;
    let bytes = 0;
    while (to < end) {
      bytes += (this.#entries[to - this.#prev.index - 1] as Entry).data.length;
      if (bytes > bytesMax && to > from) break;
      to++;
    }
    return to;
  }

  /** Bytes of data in the entries [from, to). */
  bytes(from: number, to: number): number {
    let bytes = 0;
    for (let index = from; index < to; index++) {
      bytes += (this.#entries[index - this.#prev.index - 1] as Entry).data.length;
    }
    return bytes;
  }

  /** What the log holds from the entry at `from` on weighs in memory: data, and what an entry costs. */
  tailBytes(from: number): number {
    const first = Math.max(from, this.firstIndex);
    const count = Math.max(0, this.lastIndex + 1 - first);
    return this.bytes(first, first + count) + count * entryOverheadBytes;
  }

  /** The smallest index such that the entries after it, through `index`, weigh at most `bytesMax`. */
  indexBehind(index: number, bytesMax: number): number {
    let through = Math.min(index, this.lastIndex);
    let bytes = 0;
    while (through > this.#prev.index) {
      const entry = this.#entries[through - this.#prev.index - 1] as Entry;
      bytes += entry.data.length + entryOverheadBytes;
      if (bytes > bytesMax) break;
      through--;
    }
    return through;
  }

  /**
   * The largest index in [from, to] whose term is at most `term`, or `from - 1`. Terms never fall
   * along a log, so this halves instead of walking: a hint costs O(log n) (§5.3).
   */
  lastIndexOfTermAtMost(term: number, from: number, to: number): number {
    let low = from - 1;
    let high = to;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.termAt(middle) as number) <= term) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'an appended entry follows the last');
    this.#entries.push(entry);
  }

  /** Removes every entry at or after `index`, none of which is committed. */
  truncateFrom(index: number): void {
    assert(index > this.#commitIndex, 'only uncommitted entries are truncated');
    this.#entries.length = index - this.#prev.index - 1;
    this.#sliced = null;
    this.#durableIndex = Math.min(this.#durableIndex, index - 1);
    this.#unstableFrom = Math.min(this.#unstableFrom, index);
    // What a batch under way wrote from here on will be overwritten by a later one (batches are
    // FIFO), so it can no longer make anything durable, even if an equal entry comes back.
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);
  }

  /** Hands the entries that no batch holds yet to batch `number`. */
  takeUnstable(number: number): readonly Entry[] {
    const end = this.lastIndex + 1;
    if (this.#unstableFrom === end) return [];
    const entries = this.slice(this.#unstableFrom, end);
    this.#unstableFrom = end;
    this.#writes.push({ number, lastIndex: end - 1 });
    return entries;
  }

  /** All batches up to `number` are durable. */
  persisted(number: number): void {
    let done = 0;
    for (const write of this.#writes) {
      if (write.number > number) break;
      this.#durableIndex = Math.max(this.#durableIndex, write.lastIndex);
      done++;
    }
    this.#writes.splice(0, done);
  }

  /** Raises `commitIndex`; a lower value changes nothing. */
  commitTo(index: number): void {
    if (index <= this.#commitIndex) return;
    assert(index <= this.lastIndex, 'commitIndex <= lastIndex');
    this.#commitIndex = index;
  }

  /** The next entries that are committed and durable, at most `bytesMax` bytes (or one entry). */
  takeCommitted(bytesMax: number): readonly Entry[] {
    const end = Math.min(this.#commitIndex, this.#durableIndex) + 1;
    const from = this.#handedIndex + 1;
    if (from >= end) return [];
    const to = this.runEnd(from, end, bytesMax);
    this.#handedIndex = to - 1;
    return this.slice(from, to);
  }

  applied(index: number): void {
    assert(index <= this.#handedIndex, 'lastApplied <= handedIndex');
    this.#lastApplied = Math.max(this.#lastApplied, index);
  }

  /** A local snapshot is durable: drops the entries through `throughIndex` (S5). */
  compact(meta: SnapshotMeta, throughIndex: number): void {
    assert(meta.index <= this.#lastApplied, 'a snapshot holds only what was applied');
    assert(throughIndex <= meta.index, 'compaction stays behind the snapshot');
    this.#snapshot = meta;
    if (throughIndex <= this.#prev.index) return;
    const term = this.termAt(throughIndex) as number;
    this.#entries = this.#entries.slice(throughIndex - this.#prev.index);
    this.#prev = { term, index: throughIndex };
    this.#sliced = null;
  }

  /** Replaces everything by a snapshot that is durable. */
  restore(meta: SnapshotMeta): void {
    assert(meta.index > this.#commitIndex, 'a snapshot never takes the log back');
    this.#snapshot = meta;
    this.#prev = { term: meta.term, index: meta.index };
    this.#entries = [];
    this.#sliced = null;
    this.#commitIndex = meta.index;
    this.#handedIndex = meta.index;
    this.#lastApplied = meta.index;
    this.#durableIndex = meta.index;
    this.#unstableFrom = meta.index + 1;
    this.#writes = [];
  }
}

export type InitialLog = {
  readonly prev: EntryId;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
};

type Write = { readonly number: number; lastIndex: number };
type Sliced = { readonly from: number; readonly to: number; readonly entries: readonly Entry[] };

/** An entry without its data, in memory or on a disk: so many small ones are not taken for nothing. */
const entryOverheadBytes = 128;
