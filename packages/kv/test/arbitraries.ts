import fc from 'fast-check';
import type { Value } from '../src/types.ts';

/** Any text that UTF-8 can carry. */
export const text: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('', '\ufeff', '\uffff', '😀', '\ue000'),
  )
  .map((string) => string.replace(/\p{Surrogate}/gu, ''));

/** JSON-like data without -0 and without members named `__proto__`, which twins trip over. */
export const data: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer({ min: -70_000, max: 70_000 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.float({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    text.filter((string) => !string.startsWith('\ufeff')),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      text.filter((name) => name !== '__proto__' && !name.startsWith('\ufeff')),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;
