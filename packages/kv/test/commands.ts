import fc from 'fast-check';
import type { OperationCommand, TxnCommand } from '../src/command.ts';
import { encodeCommand } from '../src/command.ts';
import type { Done, Refused } from '../src/result.ts';
import { decodeResult } from '../src/result.ts';
import type { KvStateMachine } from '../src/state-machine.ts';
import type { Value } from '../src/types.ts';
import { encodeValue } from '../src/value.ts';

export function put(key: string, value: Value, previous = false): OperationCommand {
  return { type: 'put', key, value: encodeValue(value), previous };
}

export function remove(key: string): OperationCommand {
  return { type: 'delete', selector: { key }, previous: false };
}

export function command(parts: Partial<TxnCommand>): Uint8Array {
  return encodeCommand({ stateBytesMax: 0, compares: [], then: [], else: [], ...parts });
}

export function apply(machine: KvStateMachine, parts: Partial<TxnCommand>): Done | Refused {
  return decodeResult(machine.apply(command(parts), { index: 1, time: 0 }));
}

/** Few keys, so that they collide: plain, beyond U+FFFF, prefixes of each other. */
export const someKey: fc.Arbitrary<string> = fc.constantFrom(
  'a',
  'a/1',
  'a/2',
  'a/10',
  'b',
  'b😀',
  'b\uffff',
  'ä',
  '😀',
);

export const somePrefix: fc.Arbitrary<string> = fc.constantFrom('', 'a', 'a/', 'b', '😀', 'zz');

const someValue: fc.Arbitrary<Value> = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.constantFrom('x', 'y'),
  fc.constant({ deep: [1, null] }),
);

const someOperation: fc.Arbitrary<OperationCommand> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(someKey, someValue, fc.boolean())
      .map(([key, value, previous]) => put(key, value, previous)),
  },
  { weight: 2, arbitrary: someKey.map(remove) },
  {
    weight: 1,
    arbitrary: somePrefix.map((prefix): OperationCommand => ({
      type: 'delete',
      selector: { prefix },
      previous: true,
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(someKey, fc.integer({ min: -3, max: 3 }))
      .map(([key, by]): OperationCommand => ({ type: 'increment', key, by })),
  },
  { weight: 1, arbitrary: someKey.map((key): OperationCommand => ({ type: 'get', key })) },
);

export const someTxn: fc.Arbitrary<TxnCommand> = fc.record({
  stateBytesMax: fc.constantFrom(0, 1_000_000),
  compares: fc.array(
    fc.oneof(
      fc.record({ type: fc.constant('exists' as const), key: someKey, exists: fc.boolean() }),
      fc.record({
        type: fc.constantFrom(
          'modRevision' as const,
          'createRevision' as const,
          'version' as const,
        ),
        key: someKey,
        is: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
        number: fc.integer({ min: 0, max: 6 }),
      }),
      fc.record({
        type: fc.constant('value' as const),
        key: someKey,
        is: fc.constantFrom('=' as const, '!=' as const),
        value: someValue.map(encodeValue),
      }),
      fc.record({
        type: fc.constant('unchanged' as const),
        selector: somePrefix.map((prefix) => ({ prefix })),
        since: fc.integer({ min: 0, max: 20 }),
      }),
    ),
    { maxLength: 2 },
  ),
  then: fc.array(someOperation, { maxLength: 4 }),
  else: fc.array(someOperation, { maxLength: 2 }),
});
