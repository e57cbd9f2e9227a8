import { describe, expect, test } from 'vitest';
import { checkLinearizable } from './linearizability.ts';
import type { Call, Operation } from './linearizability.ts';
import { Prng } from './prng.ts';

const operation = (call: Call, beganAt: number, endedAt: number | null): Operation => ({
  call,
  beganAt,
  endedAt,
});
const read = (value: number | null): Call => ({ type: 'read', value });
const write = (value: number | null): Call => ({ type: 'write', value });

describe('checkLinearizable()', () => {
  test('accepts calls one after another', () => {
    const history = [
      operation(read(null), 0, 1),
      operation(write(1), 2, 3),
      operation(read(1), 4, 5),
      operation({ type: 'swap', expected: 1, value: 2, done: true }, 6, 7),
      operation({ type: 'swap', expected: 1, value: 3, done: false }, 8, 9),
      operation(write(null), 10, 11),
      operation(read(null), 12, 13),
    ];
    expect(checkLinearizable(history)).toBe('linearizable');
  });

  test('accepts that a read sees a write under way, and that another does not yet', () => {
    const history = [
      operation(write(1), 0, 10),
      operation(read(null), 1, 2),
      operation(read(1), 3, 4),
    ];
    expect(checkLinearizable(history)).toBe('linearizable');
  });

  test('refuses that a value is seen and then not any more', () => {
    const history = [
      operation(write(1), 0, 10),
      operation(read(1), 1, 2),
      operation(read(null), 3, 4),
    ];
    expect(checkLinearizable(history)).toBe('not linearizable');
  });

  test('refuses a stale read (R1)', () => {
    const history = [
      operation(write(1), 0, 1),
      operation(write(2), 2, 3),
      operation(read(1), 4, 5),
    ];
    expect(checkLinearizable(history)).toBe('not linearizable');
  });

  test('refuses that two swaps of one value both succeed', () => {
    const history = [
      operation(write(1), 0, 1),
      operation({ type: 'swap', expected: 1, value: 2, done: true }, 2, 5),
      operation({ type: 'swap', expected: 1, value: 3, done: true }, 2, 5),
    ];
    expect(checkLinearizable(history)).toBe('not linearizable');
  });

  test('a call with an unknown outcome may take effect late, or never, but not before it began', () => {
    const unknown = operation(write(7), 2, null);
    const before = [operation(write(1), 0, 1), unknown, operation(read(1), 3, 4)];
    expect(checkLinearizable(before)).toBe('linearizable');
    expect(checkLinearizable([...before, operation(read(7), 5, 6)])).toBe('linearizable');
    expect(checkLinearizable([operation(read(7), 0, 1), unknown])).toBe('not linearizable');
    const andBack = [...before, operation(read(7), 5, 6), operation(read(1), 7, 8)];
    expect(checkLinearizable(andBack)).toBe('not linearizable');
  });

  test('an unknown write that nobody saw explains why a swap was refused', () => {
    const history = [
      operation(write(1), 0, 1),
      operation(write(2), 2, null),
      operation({ type: 'swap', expected: 1, value: 3, done: false }, 3, 4),
    ];
    expect(checkLinearizable(history)).toBe('linearizable');
    expect(checkLinearizable(history.filter((_, i) => i !== 1))).toBe('not linearizable');
  });

  test('agrees with trying every order, for small random histories', () => {
    const prng = new Prng(5);
    const verdicts = { yes: 0, no: 0 };
    for (let round = 0; round < 400; round++) {
      const history = randomHistory(prng);
      const expected = everyOrder(history, null);
      verdicts[expected ? 'yes' : 'no'] += 1;
      expect(checkLinearizable(history)).toBe(expected ? 'linearizable' : 'not linearizable');
    }
    expect(Math.min(verdicts.yes, verdicts.no)).toBeGreaterThan(40);
  });
});

function randomHistory(prng: Prng): Operation[] {
  return Array.from({ length: 2 + prng.int(4) }, (_, i) => {
    const beganAt = prng.int(8);
    const endedAt = prng.chance(0.2) ? null : beganAt + 1 + prng.int(5);
    const seen = prng.chance(0.3) ? null : prng.int(3);
    const calls: Call[] = [
      read(seen),
      write(prng.chance(0.2) ? null : i),
      { type: 'swap', expected: seen, value: 10 + i, done: prng.chance(0.5) },
    ];
    return operation(prng.pick(calls), beganAt, endedAt);
  }).filter(({ call, endedAt }) => call.type !== 'read' || endedAt !== null);
}

/** The definition: some order that respects real time gives every result. */
function everyOrder(rest: readonly Operation[], cell: number | null): boolean {
  if (rest.every(({ endedAt }) => endedAt === null)) return true;
  return rest.some((one) => {
    const others = rest.filter((other) => other !== one);
    if (others.some(({ endedAt }) => endedAt !== null && endedAt < one.beganAt)) return false;
    const { call } = one;
    if (call.type === 'read') return call.value === cell && everyOrder(others, cell);
    if (call.type === 'write') return everyOrder(others, call.value);
    const done = call.expected === cell;
    if (one.endedAt === null) return done && everyOrder(others, call.value);
    return done === call.done && everyOrder(others, done ? call.value : cell);
  });
}
