/** Counters: an integer in one key, added to by increments, followed live. */
import { LiveValue } from './live.ts';
import type { LiveSource } from './live.ts';
import type { Counter, KeyValue } from './types.ts';
import { decodeInteger } from './value.ts';

/** A counter in a key. It shows NaN where something that is no integer is there. */
export class LiveCounter extends LiveValue<number> implements Counter {
  readonly add: Counter['add'];
  readonly get: Counter['get'];

  constructor(
    source: LiveSource,
    kv: Pick<KeyValue, 'get'>,
    key: string,
    increment: KeyValue['increment'],
  ) {
    super(source, { key }, (store) => readInteger(store.records.get(key)?.value), 0);
    this.add = (by, options) => increment(key, by, options);
    this.get = async (options) => {
      const value = await kv.get(key, options);
      if (value === undefined) return 0;
      return typeof value === 'number' && Number.isSafeInteger(value) ? value : NaN;
    };
  }
}

function readInteger(stored: Uint8Array | undefined): number {
  return stored === undefined ? 0 : (decodeInteger(stored) ?? NaN);
}

export function counterKey(name: string): string {
  return `~counter/${name}`;
}
