/** Counters: an integer in one key, added to by increments, followed live. */
import { LiveValue } from './live.ts';
import type { LiveSource } from './live.ts';
import type { Counter, KeyValue, ReadOptions } from './types.ts';
import { decodeInteger } from './value.ts';

/** A counter in `key`. It shows NaN where something that is no integer is there. */
export function createCounter(
  source: LiveSource,
  kv: Pick<KeyValue, 'get'>,
  key: string,
  add: Counter['add'],
): Counter {
  const live = new LiveValue<number>(source, { key }, ({ records }) => {
    const record = records.get(key);
    return record === undefined ? 0 : (decodeInteger(record.value) ?? NaN);
  });
  return {
    get value() {
      return live.value;
    },
    get loaded() {
      return live.loaded;
    },
    get stale() {
      return live.stale;
    },
    get pending() {
      return live.pending;
    },
    subscribe: live.subscribe,
    getSnapshot: live.getSnapshot,
    add,
    get: (options) => readCounter(kv, key, options),
  };
}

export function counterKey(name: string): string {
  return `~counter/${name}`;
}

async function readCounter(
  kv: Pick<KeyValue, 'get'>,
  key: string,
  options?: ReadOptions,
): Promise<number> {
  const value = await kv.get(key, options);
  if (value === undefined) return 0;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : NaN;
}
