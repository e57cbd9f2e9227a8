/** The ordered map under the state: a copy-on-write B+tree, keys in UTF-8 byte order. */
import * as btree from 'sorted-btree';
import type BTree from 'sorted-btree';
import { compareKeys, prefixCeiling } from './key.ts';
import type { KvRecord } from './record.ts';
import type { KeySelector } from './types.ts';

// The package is CommonJS: bundlers and Node disagree on what its default import is.
type Tree = BTree.default<string, KvRecord>;
type TreeClass = new (entries: undefined, compare: typeof compareKeys) => Tree;
const module = btree as unknown as { default: TreeClass | { default: TreeClass } };
const Tree: TreeClass =
  typeof module.default === 'function' ? module.default : module.default.default;

export class OrderedMap {
  readonly #tree: Tree;

  constructor(tree: Tree = new Tree(undefined, compareKeys)) {
    this.#tree = tree;
  }

  get size(): number {
    return this.#tree.size;
  }

  get(key: string): KvRecord | undefined {
    return this.#tree.get(key);
  }

  set(record: KvRecord): void {
    this.#tree.set(record.key, record);
  }

  delete(key: string): void {
    this.#tree.delete(key);
  }

  /** Captures the present content in O(1); later changes here do not show there. */
  clone(): OrderedMap {
    return new OrderedMap(this.#tree.clone());
  }

  /** The selected records in ascending order. The map must not change meanwhile: clone it. */
  *select(selector: KeySelector): IterableIterator<KvRecord> {
    if (selector.key !== undefined) {
      const record = this.#tree.get(selector.key);
      if (record !== undefined) yield record;
      return;
    }
    const first = selector.prefix ?? selector.start;
    for (const [, record] of this.#tree.entries(first, [])) {
      if (!selects(selector, record.key)) return;
      yield record;
    }
  }

  /** The selected records in descending order. The map must not change meanwhile. */
  *selectReversed(selector: KeySelector): IterableIterator<KvRecord> {
    if (selector.key !== undefined) {
      yield* this.select(selector);
      return;
    }
    const ceiling = selector.prefix === undefined ? selector.end : prefixCeiling(selector.prefix);
    for (const [, record] of this.#tree.entriesReversed(ceiling, [], true)) {
      if (!selects(selector, record.key)) return;
      yield record;
    }
  }
}

export function selects(selector: KeySelector, key: string): boolean {
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
  if ('key' in a) return 'key' in b ? a.key === b.key : a.key.startsWith(b.prefix);
  if ('key' in b) return b.key.startsWith(a.prefix);
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}
