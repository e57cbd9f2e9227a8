/** A key-value store under test: the same, with virtual time passing while a call waits. */
import type { Counter, KeyValue } from '@quorate/kv';
import type { Pace } from './pace.ts';

/**
 * Watches and live handles move with time and do not make it pass: what they wait for may never
 * come.
 */
export function driven(kv: KeyValue, pace: Pace): KeyValue {
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
    counter: (name) => drivenCounter(kv.counter(name), pace),
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
