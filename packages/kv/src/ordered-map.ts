/**
 * The ordered map under the state: records by the UTF-8 bytes of their keys, in one list of small
 * blocks. Copies share what they have in common: making one costs nothing, the next write copies the
 * list (two pointers for each 32 to 64 records) and the block it is in.
 */
import { isRuntimeKey } from '@quorate/contracts/kv-calls';
import { compareKeys, prefixCeiling } from './key.ts';
import type { KvRecord } from './record.ts';
import type { KeySelector } from './types.ts';

/** Ascending; neither empty nor longer than `blockLengthMax`. Only `owner` may change it. */
type Block = {
  readonly owner: object | null;
  readonly keys: string[];
  readonly records: KvRecord[];
};

/** A block, by its index, and an index in it. */
type Place = { readonly at: number; readonly block: Block; readonly index: number };

export class OrderedMap {
  /** Ascending, and the last key of each: a search touches no block but the one it finds. */
  #blocks: Block[] = [];
  #lastKeys: string[] = [];
  /** Stands for this map in its blocks. Null while another map may have the same lists. */
  #owner: object | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): KvRecord | undefined {
    const { block, index } = this.#seek(key);
    return block.keys[index] === key ? block.records[index] : undefined;
  }

  set(record: KvRecord): void {
    const { key } = record;
    const { at, block, index } = this.#seek(key);
    const { keys, records } = this.#own(at);
    if (block.keys[index] === key) {
      records[index] = record;
      return;
    }
    this.#size += 1;
    keys.splice(index, 0, key);
    records.splice(index, 0, record);
    if (keys.length > blockLengthMax) {
      // Halves; but what comes in order, as from a snapshot, fills one block after the other.
      const middle = index === blockLengthMax ? index : blockLengthMax / 2;
      const tail = {
        owner: this.#owner,
        keys: keys.splice(middle),
        records: records.splice(middle),
      };
      this.#blocks.splice(at + 1, 0, tail);
      this.#lastKeys.splice(at + 1, 0, lastOf(tail.keys));
    }
    this.#lastKeys[at] = lastOf(keys);
  }

  delete(key: string): void {
    const { at, block, index } = this.#seek(key);
    if (block.keys[index] !== key) return;
    this.#size -= 1;
    const { keys, records } = this.#own(at);
    keys.splice(index, 1);
    records.splice(index, 1);
    if (keys.length === 0) {
      this.#remove(at);
      return;
    }
    this.#lastKeys[at] = lastOf(keys);
    this.#join(at);
    this.#join(at - 1);
  }

  /** Captures the present content in O(1); later changes here do not show there. */
  clone(): OrderedMap {
    const copy = new OrderedMap();
    copy.#blocks = this.#blocks;
    copy.#lastKeys = this.#lastKeys;
    copy.#size = this.#size;
    this.#owner = null;
    return copy;
  }

  /** Every record in ascending order, the runtime's own too. The map must not change meanwhile. */
  *all(): IterableIterator<KvRecord> {
    for (const { records } of this.#blocks) yield* records;
  }

  /** The selected records in ascending order, those behind `after`. The map must not change meanwhile: clone it. */
  *select(selector: KeySelector, after?: string): IterableIterator<KvRecord> {
    const beginning = beginningOf(selector);
    const isBehind = after !== undefined && compareKeys(after, beginning) >= 0;
    let { at, index } = this.#seek(isBehind ? after : beginning);
    if (isBehind && this.#blocks[at]?.keys[index] === after) index += 1;
    for (; at < this.#blocks.length; at += 1, index = 0) {
      const { keys, records } = this.#blocks[at] as Block;
      for (; index < keys.length; index += 1) {
        if (!isWithin(selector, keys[index] as string)) return;
        if (isHidden(selector, keys[index] as string)) continue;
        yield records[index] as KvRecord;
      }
    }
  }

  /** The selected records in descending order, those below `after`. The map must not change meanwhile. */
  *selectReversed(selector: KeySelector, after?: string): IterableIterator<KvRecord> {
    if (selector.key !== undefined) {
      yield* this.select(selector);
      return;
    }
    const ceiling = selector.end ?? prefixCeiling(selector.prefix ?? '');
    const isBelow = after !== undefined && compareKeys(after, ceiling) < 0;
    let { at, index } = this.#seek(isBelow ? after : ceiling);
    for (; at >= 0; at -= 1, index = blockLengthMax) {
      const { keys, records } = this.#blocks[at] ?? none;
      for (index = Math.min(index, keys.length) - 1; index >= 0; index -= 1) {
        if (!isWithin(selector, keys[index] as string)) return;
        if (isHidden(selector, keys[index] as string)) continue;
        yield records[index] as KvRecord;
      }
    }
  }

  /** Where `key` is or would be: beyond all others, at the end of the last block. */
  #seek(key: string): Place {
    const at = Math.max(0, firstNotBelow(key, this.#lastKeys, this.#blocks.length - 1));
    const block = this.#blocks[at] ?? none;
    return { at, block, index: firstNotBelow(key, block.keys, block.keys.length) };
  }

  /** The block at `at`, to be changed: this map's alone. */
  #own(at: number): Block {
    if (this.#owner === null) {
      this.#owner = {};
      this.#blocks = this.#blocks.slice();
      this.#lastKeys = this.#lastKeys.slice();
    }
    const block = this.#blocks[at] ?? none;
    if (block.owner === this.#owner) return block;
    const { keys, records } = block;
    return (this.#blocks[at] = {
      owner: this.#owner,
      keys: keys.slice(),
      records: records.slice(),
    });
  }

  /** Two blocks that fit in half of one become one, lest deleting leave a long list of short ones. */
  #join(at: number): void {
    const right = this.#blocks[at + 1];
    const length = this.#blocks[at]?.keys.length;
    if (length === undefined || right === undefined) return;
    if (length + right.keys.length > blockLengthMax / 2) return;
    const { keys, records } = this.#own(at);
    keys.push(...right.keys);
    records.push(...right.records);
    this.#lastKeys[at] = lastOf(keys);
    this.#remove(at + 1);
  }

  #remove(at: number): void {
    this.#blocks.splice(at, 1);
    this.#lastKeys.splice(at, 1);
  }
}

const blockLengthMax = 32;
const none: Block = { owner: null, keys: [], records: [] };

/** The index of the first of `length` ascending keys that is not below `key`; else `length`. */
function firstNotBelow(key: string, keys: readonly string[], length: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareKeys(keys[middle] as string, key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lastOf(keys: readonly string[]): string {
  return keys[keys.length - 1] as string;
}

/** The runtime's own keys are selected only by what begins as they do. */
export function selects(selector: KeySelector, key: string): boolean {
  return isWithin(selector, key) && !isHidden(selector, key);
}

function isHidden(selector: KeySelector, key: string): boolean {
  return isRuntimeKey(key) && !isRuntimeKey(beginningOf(selector));
}

function beginningOf({ key, prefix, start }: KeySelector): string {
  return key ?? prefix ?? start ?? '';
}

function isWithin(selector: KeySelector, key: string): boolean {
  if (selector.key !== undefined) return selector.key === key;
  if (selector.prefix !== undefined) return key.startsWith(selector.prefix);
  if (compareKeys(key, selector.start) < 0) return false;
  return selector.end === undefined || compareKeys(key, selector.end) < 0;
}

/** Can one key be in both? Not asked of half-open ranges. */
export function overlap(
  a: { readonly key: string } | { readonly prefix: string },
  b: { readonly key: string } | { readonly prefix: string },
): boolean {
  if ('key' in a) return 'key' in b ? a.key === b.key : selects(b, a.key);
  if ('key' in b) return selects(a, b.key);
  if (isRuntimeKey(a.prefix) !== isRuntimeKey(b.prefix)) return false;
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}
