import { describe, expectTypeOf, it } from 'vitest';
import type { KeyValue, Value } from './types.ts';

type Note = {
  readonly text: string;
  readonly tags?: readonly string[];
  readonly at: [number, number];
};
interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
}
declare const brand: unique symbol;
type Id = string & { readonly [brand]: true };

type Given = {
  readonly note: Note;
  readonly tree: Tree;
  readonly record: Record<string, unknown>;
  readonly value: Value;
  readonly tags: readonly string[];
  readonly maybe: string | undefined;
  readonly id: Id;
  readonly kind: 'a' | 'b' | null;
};

/** Never called: it is compiled, and that is the test. */
export function compiled(kv: KeyValue, given: Given): void {
  const { put } = kv;
  const { note, tree, record, value, tags, maybe } = given;
  void put('k', note);
  void put('k', tree);
  void put('k', [note, tree, null, true, 1, 'text']);
  void put('k', new Uint8Array(3));
  void put('k', 'x' as Id);
  void put('k', { id: given.id, kind: given.kind });
  void put('k', record);
  void put('k', JSON.parse('{}'));
  void put('k', value);
  void put<Note>('k', note);
  void put('k', tags);
  // @ts-expect-error -- a Date is none
  void put('k', new Date());
  // @ts-expect-error -- nor inside
  void put('k', { at: new Date() });
  // @ts-expect-error -- functions neither
  void put('k', () => 1);
  // @ts-expect-error -- nor as members
  void put('k', { run: () => 1 });
  // @ts-expect-error -- members that are undefined
  void put('k', { text: undefined });
  // @ts-expect-error -- or may be
  void put('k', { text: maybe });
  // @ts-expect-error -- undefined itself
  void put('k', undefined);
  // @ts-expect-error -- bigints
  void put('k', [1n]);
  // @ts-expect-error -- classes with methods
  void put('k', new Map([['a', 1]]));
  void kv.transaction((tx) => {
    tx.put('k', note);
    // @ts-expect-error -- in a transaction as outside
    tx.put('k', { at: new Date() });
  });
}

describe('what put takes, to the compiler', () => {
  it('T29 refuses dates, functions and undefined members, and takes interfaces', () => {
    expectTypeOf(compiled).toBeFunction();
  });
});
