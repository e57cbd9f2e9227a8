/** Parts of a cluster under test: the same, with virtual time passing while a call waits. */
import type { Backup } from '@quorate/join/cluster';
import type { Counter, KeyValue } from '@quorate/kv';
import type { Pace } from './pace.ts';

/**
 * Watches and live handles move with time and do not make it pass: what they wait for may never
 * come.
 */
export function drivenKv(kv: KeyValue, pace: Pace): KeyValue {
  const counters = new WeakMap<Counter, Counter>();
  return {
    get revision(): number {
      return kv.revision;
    },
    get: (key, options) => pace.drive(kv.get(key, options)),
    getEntry: (key, options) => pace.drive(kv.getEntry(key, options)),
    range: (options) => pace.drive(kv.range(options)),
    peek: kv.peek,
    live: kv.live,
    put: (key, value, options) => pace.drive(kv.put(key, value, options)),
    delete: (selector, options) => pace.drive(kv.delete(selector, options)),
    batch: (operations, options) => pace.drive(kv.batch(operations, options)),
    increment: (key, by, options) => pace.drive(kv.increment(key, by, options)),
    update: (key, change, options) => pace.drive(kv.update(key, change, options)),
    transaction: (body, options) => pace.drive(kv.transaction(body, options)),
    txn: (txn, options) => pace.drive(kv.txn(txn, options)),
    watch: kv.watch,
    counter: (name) => {
      const counter = kv.counter(name);
      const known = counters.get(counter) ?? drivenCounter(counter, pace);
      counters.set(counter, known);
      return known;
    },
    close: kv.close,
  };
}

function drivenCounter(counter: Counter, pace: Pace): Counter {
  return {
    get value(): number {
      return counter.value;
    },
    get loaded(): boolean {
      return counter.loaded;
    },
    get stale(): boolean {
      return counter.stale;
    },
    get pending(): boolean {
      return counter.pending;
    },
    subscribe: counter.subscribe,
    getSnapshot: counter.getSnapshot,
    getServerSnapshot: counter.getServerSnapshot,
    add: (by, options) => pace.drive(counter.add(by, options)),
    get: (options) => pace.drive(counter.get(options)),
  };
}

export async function* drivenItems<T>(
  items: AsyncIterable<T>,
  pace: Pace,
): AsyncGenerator<T, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const item = await pace.drive(iterator.next());
      if (item.done === true) return undefined;
      yield item.value;
    }
  } finally {
    await iterator.return?.();
  }
}

export function drivenBackup(backup: Backup, pace: Pace): Backup {
  return {
    get info() {
      return pace.drive(backup.info);
    },
    get checksum() {
      return backup.checksum;
    },
    [Symbol.asyncIterator]: () => drivenItems(backup, pace),
  };
}
