import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCborMap, encodeCbor } from '@quorate/contracts';
import type { CommandBody } from './envelope.ts';
import { SessionTable } from './sessions.ts';
import type { CommandOutcome } from './sessions.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function command(seq: number, name: string, more: Partial<CommandBody> = {}): CommandBody {
  return { type: 'command', session: 7, seq, firstUnacked: 1, command: text(name), ...more };
}

test('T9 Z45 of a hundred thousand sessions 16,384 are opened, and none of those goes for another', () => {
  const table = new SessionTable();
  let opened = 0;
  for (let id = 1; id <= 100_000; id += 1) {
    if (table.open(id, id.toString(16).padStart(16, '0'), 0)) opened += 1;
  }
  expect([opened, table.size]).toEqual([16_384, 16_384]);
  expect([table.has(1), table.has(16_384), table.has(16_385)]).toEqual([true, true, false]);
  // One that expires makes room.
  table.renewAndExpire([], [5], 1);
  expect(table.open(200_000, 'f'.repeat(16), 1)).toBe(true);
  expect(table.open(200_001, 'e'.repeat(16), 1)).toBe(false);
});

/** A table with session 7 open, and the names that were run, in order. */
function opened(): {
  table: SessionTable;
  ran: string[];
  run: (body: CommandBody) => CommandOutcome;
} {
  const table = new SessionTable();
  table.open(7, '00112233aabbccdd', 0);
  const ran: string[] = [];
  const run = (body: CommandBody): CommandOutcome =>
    table.command(body, 0, () => {
      const name = new TextDecoder().decode(body.command);
      ran.push(name);
      return text(`done ${name}`);
    });
  return { table, ran, run };
}

describe('SessionTable', () => {
  test('Z25 a session that is not in the table is expired, for commands, resolves and lookups', () => {
    const { table, ran, run } = opened();
    expect(run(command(1, 'a', { session: 8 }))).toEqual({ type: 'expired' });
    const resolve = { type: 'resolve', session: 8, seq: 1, firstUnacked: 1 } as const;
    expect(table.resolve(resolve, 0)).toEqual({ type: 'expired' });
    expect(table.lookup(8, 1)).toEqual({ type: 'expired' });
    run(command(1, 'a'));
    table.renewAndExpire([], [7], 0);
    expect(run(command(1, 'a'))).toEqual({ type: 'expired' });
    expect(run(command(2, 'b'))).toEqual({ type: 'expired' });
    expect(ran).toEqual(['a']);
  });

  test('Z26 commands of a session are applied in the order of their numbers, a gap is refused', () => {
    const { ran, run } = opened();
    expect(run(command(2, 'b'))).toEqual({ type: 'gap', nextSeq: 1 });
    expect(run(command(1, 'a')).type).toBe('result');
    expect(run(command(3, 'c'))).toEqual({ type: 'gap', nextSeq: 2 });
    expect(run(command(2, 'b')).type).toBe('result');
    expect(run(command(3, 'c')).type).toBe('result');
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  test('Z26 C1 a repeated command is answered from the table and not run again', () => {
    const { ran, run } = opened();
    expect(run(command(1, 'a'))).toEqual({
      type: 'result',
      result: text('done a'),
      repeated: false,
    });
    expect(run(command(1, 'a'))).toEqual({
      type: 'result',
      result: text('done a'),
      repeated: true,
    });
    expect(ran).toEqual(['a']);
  });

  test('Z26 results are kept from firstUnacked on and forgotten below it', () => {
    const { table, run } = opened();
    for (const seq of [1, 2, 3]) run(command(seq, `c${seq}`));
    run(command(4, 'c4', { firstUnacked: 3 }));
    expect(table.lookup(7, 2)).toEqual({ type: 'forgotten' });
    expect(table.lookup(7, 3)?.type).toBe('result');
    expect(table.lookup(7, 5)).toBeUndefined();
    expect(run(command(1, 'c1'))).toEqual({ type: 'forgotten' });
  });

  test('Z26 one number with two commands is a conflict and runs nothing', () => {
    const { ran, run } = opened();
    run(command(1, 'a'));
    expect(run(command(1, 'b'))).toEqual({ type: 'conflict' });
    expect(ran).toEqual(['a']);
  });

  test('Z26 a client that acknowledges nothing is refused at the bound and goes on below it', () => {
    const { ran, run } = opened();
    let seq = 1;
    while (run(command(seq, 'x')).type === 'result') seq += 1;
    expect(run(command(seq, 'x'))).toEqual({ type: 'overloaded' });
    expect(ran.length).toBe(seq - 1);
    expect(run(command(seq, 'x', { firstUnacked: seq })).type).toBe('result');
  });

  test('Z28 resolve kills a number that was not applied, for good', () => {
    const { table, ran, run } = opened();
    run(command(1, 'a'));
    const resolve = { type: 'resolve', session: 7, seq: 2, firstUnacked: 1 } as const;
    expect(table.resolve(resolve, 0)).toEqual({ type: 'dead' });
    expect(run(command(2, 'b'))).toEqual({ type: 'dead' });
    expect(table.resolve(resolve, 0)).toEqual({ type: 'dead' });
    expect(run(command(3, 'c')).type).toBe('result');
    expect(ran).toEqual(['a', 'c']);
  });

  test('Z28 resolve of an applied number tells its result, of a later one a gap', () => {
    const { table, run } = opened();
    run(command(1, 'a'));
    const resolve = { type: 'resolve', session: 7, seq: 1, firstUnacked: 1 } as const;
    expect(table.resolve(resolve, 0)).toEqual({
      type: 'result',
      result: text('done a'),
      repeated: true,
    });
    expect(table.resolve({ ...resolve, seq: 3 }, 0)).toEqual({ type: 'gap', nextSeq: 2 });
  });

  test('Z27 only what an entry names as expired goes, and what it names as seen is renewed', () => {
    const table = new SessionTable();
    table.open(1, '00'.repeat(8), 0);
    table.open(2, '11'.repeat(8), 0);
    expect(table.unseenSince(10)).toEqual([1, 2]);
    table.renewAndExpire([1], [], 10);
    expect(table.unseenSince(10)).toEqual([2]);
    expect(table.size).toBe(2);
    table.renewAndExpire([], [2], 20);
    expect(table.has(2)).toBe(false);
    expect(table.has(1)).toBe(true);
  });

  test('S4 a table restored from its snapshot answers a retry as the one it was taken from', () => {
    const { table, run } = opened();
    run(command(1, 'a'));
    table.resolve({ type: 'resolve', session: 7, seq: 2, firstUnacked: 1 }, 5);
    run(command(3, 'c'));
    const bytes = encodeCbor({ sessions: table.toCbor() });
    const restored = SessionTable.fromCbor(decodeCborMap(bytes)['sessions']);
    expect(restored.idOf('00112233aabbccdd')).toBe(7);
    const never = (): Uint8Array => {
      throw new Error('run twice');
    };
    expect(restored.command(command(1, 'a'), 9, never)).toMatchObject({ result: text('done a') });
    expect(restored.command(command(2, 'b'), 9, never)).toEqual({ type: 'dead' });
    expect(restored.command(command(3, 'z'), 9, never)).toEqual({ type: 'conflict' });
    expect(restored.nextSeqOf(7)).toBe(4);
  });

  test('S4 equal tables give equal snapshot bytes', () => {
    const fill = (): Uint8Array => {
      const { table, run } = opened();
      for (const seq of [1, 2, 3]) run(command(seq, `c${seq}`, { firstUnacked: seq - 1 || 1 }));
      return encodeCbor({ sessions: table.toCbor() });
    };
    expect(fill()).toEqual(fill());
  });

  test('Z25 Z26 Z28 any duplication and reordering of entries applies each number at most once, in order', () => {
    const step = fc.record({
      seq: fc.integer({ min: 1, max: 8 }),
      kind: fc.constantFrom('command', 'command', 'command', 'resolve', 'snapshot'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let { table } = opened();
        const ran: number[] = [];
        // The naive twin: the fate of each number, and the next one whose turn it is.
        const fate = new Map<number, 'applied' | 'dead'>();
        let next = 1;
        for (const { seq, kind } of steps) {
          if (kind === 'snapshot') {
            table = SessionTable.fromCbor(decodeCborMap(encodeCbor({ s: table.toCbor() }))['s']);
            continue;
          }
          const firstUnacked = 1;
          if (kind === 'resolve') {
            const outcome = table.resolve({ type: 'resolve', session: 7, seq, firstUnacked }, 0);
            if (seq === next) {
              expect(outcome).toEqual({ type: 'dead' });
              fate.set(seq, 'dead');
              next += 1;
            } else if (seq > next) expect(outcome).toEqual({ type: 'gap', nextSeq: next });
            else expect(outcome.type).toBe(fate.get(seq) === 'dead' ? 'dead' : 'result');
            continue;
          }
          const outcome = table.command(command(seq, `c${seq}`, { firstUnacked }), 0, () => {
            ran.push(seq);
            return text(`r${seq}`);
          });
          if (seq === next) {
            expect(outcome).toEqual({ type: 'result', result: text(`r${seq}`), repeated: false });
            fate.set(seq, 'applied');
            next += 1;
          } else if (seq > next) expect(outcome).toEqual({ type: 'gap', nextSeq: next });
          else if (fate.get(seq) === 'dead') expect(outcome).toEqual({ type: 'dead' });
          else {
            expect(outcome).toEqual({ type: 'result', result: text(`r${seq}`), repeated: true });
          }
        }
        expect(ran).toEqual([...fate].filter(([, f]) => f === 'applied').map(([seq]) => seq));
      }),
    );
  });
});
