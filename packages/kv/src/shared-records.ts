/**
 * Records that several state machines of one process hold only once. What a command makes of a key at
 * a revision is the same in every replica, and immutable: replicas of one page would each keep a copy.
 */
import { equalBytes } from '@quorate/contracts';
import type { KvRecord } from './record.ts';

export class SharedRecords {
  /** By revision and key; never what keeps a record alive. */
  readonly #records = new Map<string, WeakRef<KvRecord>>();
  readonly #gone = new FinalizationRegistry<string>((id) => {
    // Meanwhile it may be another one.
    if (this.#records.get(id)?.deref() === undefined) this.#records.delete(id);
  });

  get size(): number {
    return this.#records.size;
  }

  /** The record that takes the place of `record`: an equal one that is held already, or itself. */
  take(record: KvRecord): KvRecord {
    // To remember a small one costs as much as to hold it twice.
    if (record.value.length < sharedBytesMin) return record;
    const id = `${record.modRevision} ${record.key}`;
    const known = this.#records.get(id)?.deref();
    if (known !== undefined) return isSame(known, record) ? known : record;
    this.#records.set(id, new WeakRef(record));
    this.#gone.register(record, id);
    return record;
  }
}

/** What is `known` of a key, where it is the same: its decoded value keeps its identity. */
export function sameAsKnown(record: KvRecord, known: KvRecord | undefined): KvRecord {
  return known !== undefined && isSame(known, record) ? known : record;
}

/** Of the same key. */
function isSame(a: KvRecord, b: KvRecord): boolean {
  return (
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.version === b.version &&
    equalBytes(a.value, b.value)
  );
}

const sharedBytesMin = 256;
