import { isQuorateError } from '@quorate/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, command, put, remove, someTxn } from '../test/commands.ts';
import { encodeCommand } from './command.ts';
import type { OperationCommand } from './command.ts';
import { decodeResult } from './result.ts';
import { select } from './selection.ts';
import { KvStateMachine } from './state-machine.ts';
import { encodeValue } from './value.ts';

const context = { index: 1, time: 0 };

describe('apply()', () => {
  it('never throws, refuses what it does not understand and then changes nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const machine = new KvStateMachine();
        apply(machine, { then: [put('a', 1)] });
        const digest = machine.digest();
        const result = decodeResult(machine.apply(bytes, context));
        if (result.type === 'refused') expect(machine.digest()).toBe(digest);
      }),
      { numRuns: 5_000 },
    );
  });

  it('survives any damage to a command, and keeps the state whole', () => {
    fc.assert(
      fc.property(someTxn, fc.nat(), fc.nat(255), (txn, place, byte) => {
        const machine = new KvStateMachine();
        apply(machine, { then: [put('a', 1), put('b', 'x')] });
        const bytes = encodeCommand(txn);
        bytes[place % bytes.length] = byte;
        decodeResult(machine.apply(bytes, context));
        decodeResult(machine.apply(bytes.subarray(0, place % bytes.length), context));
        for (const entry of select(machine.store, { selector: { prefix: '' } }).entries) {
          expect(entry.value).not.toBeUndefined();
        }
        const copy = new KvStateMachine();
        copy.restore(Uint8Array.from(Buffer.concat([...machine.snapshot()])));
        expect(copy.digest()).toBe(machine.digest());
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['an unknown format', Uint8Array.of(9, 1, 0, 0, 0, 0)],
    ['an unknown kind', Uint8Array.of(1, 99, 0, 0, 0, 0)],
    ['bytes after the end', Uint8Array.of(1, 1, 0, 0, 0, 0, 0)],
    ['a count far beyond the end', Uint8Array.of(1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    [
      'a value that is none',
      command({ then: [{ ...put('a', 1), value: Uint8Array.of(0xff) } as never] }),
    ],
    ['a key too long', command({ then: [put('k'.repeat(1025), 1)] })],
    ['an empty key', command({ then: [put('', 1)] })],
    ['a key twice (K4)', command({ then: [put('a', 1), put('b', 1), put('a', 2)] })],
    [
      'a key put and deleted by prefix (K4)',
      command({
        then: [put('ab', 1), { type: 'delete', selector: { prefix: 'a' }, previous: false }],
      }),
    ],
    [
      'more than 128 operations',
      command({
        then: Array.from({ length: 129 }, (_, index) => put(`k${index}`, 1)),
      }),
    ],
  ])('answers %s with BAD_REQUEST', (_name, bytes) => {
    const machine = new KvStateMachine();
    const digest = machine.digest();
    const result = decodeResult(machine.apply(bytes, context));
    expect(result).toMatchObject({ type: 'refused', code: 'BAD_REQUEST' });
    expect(machine.digest()).toBe(digest);
  });

  it('K4 leaves nothing applied where one operation of a transaction fails', () => {
    const machine = new KvStateMachine();
    apply(machine, { then: [put('text', 'x')] });
    const digest = machine.digest();
    const result = apply(machine, {
      then: [put('a', 1), remove('text'), { type: 'increment', key: 'b', by: 1 }],
    });
    expect(result).toMatchObject({ type: 'done', revision: 2 });
    apply(machine, { then: [put('text', 'x')] });
    const before = machine.digest();
    expect(before).not.toBe(digest);
    expect(
      apply(machine, { then: [put('a', 9), { type: 'increment', key: 'text', by: 1 }] }),
    ).toMatchObject({
      type: 'refused',
      code: 'CONFLICT',
      blame: { key: 'text', current: { key: 'text', modRevision: 3 } },
    });
    expect(machine.digest()).toBe(before);
  });

  it('refuses an increment beyond the safe integers', () => {
    const machine = new KvStateMachine();
    apply(machine, { then: [put('n', Number.MAX_SAFE_INTEGER)] });
    const then = [{ type: 'increment', key: 'n', by: 1 } as const];
    expect(apply(machine, { then })).toMatchObject({ type: 'refused', code: 'CONFLICT' });
  });

  it('keeps copies: the buffer of a command may change afterwards', () => {
    const machine = new KvStateMachine();
    const bytes = command({ then: [put('a', 'hello')] });
    machine.apply(bytes, context);
    bytes.fill(0);
    expect(machine.store.records.get('a')?.entry().value).toBe('hello');
  });

  it('holds a command to the limit on the state that it carries, deletions and shrinking aside', () => {
    const machine = new KvStateMachine();
    const limit = { stateBytesMax: 500 };
    expect(apply(machine, { ...limit, then: [put('a', 'x'.repeat(400))] }).type).toBe('done');
    expect(apply(machine, { ...limit, then: [put('b', 1)] })).toMatchObject({
      type: 'refused',
      code: 'LIMIT_EXCEEDED',
    });
    expect(apply(machine, { then: [put('b', 1)] }).type).toBe('done');
    expect(apply(machine, { ...limit, then: [put('a', 'x'.repeat(399))] }).type).toBe('done');
    expect(apply(machine, { ...limit, then: [remove('a')] }).type).toBe('done');
    expect(apply(machine, { ...limit, then: [put('c', 1)] }).type).toBe('done');
  });

  it('refuses results larger than a request may be, with nothing written', () => {
    const machine = new KvStateMachine();
    for (const key of ['a', 'b']) apply(machine, { then: [put(key, 'x'.repeat(800_000))] });
    const digest = machine.digest();
    const selector = { prefix: '' };
    expect(apply(machine, { then: [{ type: 'delete', selector, previous: true }] })).toMatchObject({
      type: 'refused',
      code: 'LIMIT_EXCEEDED',
    });
    expect(machine.digest()).toBe(digest);
    expect(apply(machine, { then: [{ type: 'delete', selector, previous: false }] }).type).toBe(
      'done',
    );
  });

  it('leaves the revision where nothing was written', () => {
    const machine = new KvStateMachine();
    apply(machine, { then: [put('a', 1)] });
    expect(apply(machine, { then: [remove('b'), { type: 'get', key: 'a' }] })).toMatchObject({
      revision: 1,
    });
    expect(apply(machine, { then: [put('a', 1)] })).toMatchObject({ revision: 2 });
  });
});

describe('frees()', () => {
  const compares = [{ type: 'exists', key: 'a', exists: true }] as const;
  const removed = (previous: boolean): OperationCommand => ({
    type: 'delete',
    selector: { prefix: 'a/' },
    previous,
  });

  it.each<[string, Uint8Array, boolean]>([
    ['a deletion', command({ then: [remove('a')] }), true],
    ['several, of a prefix too', command({ then: [remove('b'), removed(false)] }), true],
    ['one with a condition', command({ compares, then: [remove('a')] }), true],
    ['one that is asked what was there', command({ then: [removed(true)] }), false],
    ['a put', command({ then: [put('a', 1)] }), false],
    ['a put beside a deletion', command({ then: [remove('b'), put('a', 1)] }), false],
    [
      'a put where the condition fails',
      command({ then: [remove('b')], else: [put('a', 1)] }),
      false,
    ],
    ['an increment', command({ then: [{ type: 'increment', key: 'n', by: -1 }] }), false],
    ['nothing but a read', command({ then: [{ type: 'get', key: 'a' }] }), false],
    ['nothing at all', command({}), false],
    ['what is no command', Uint8Array.of(9, 1, 0, 0, 0, 0), false],
    ['what has no bytes', new Uint8Array(0), false],
    [
      'a deletion whose conditions are large',
      command({
        compares: [{ type: 'value', key: 'a', is: '=', value: encodeValue('x'.repeat(20_000)) }],
        then: [remove('a')],
      }),
      false,
    ],
  ])('T20: %s', (_name, bytes, frees) => {
    expect(new KvStateMachine().frees(bytes)).toBe(frees);
  });

  it('T20: whatever frees never makes a state larger', () => {
    fc.assert(
      fc.property(fc.array(someTxn, { maxLength: 12 }), (txns) => {
        const machine = new KvStateMachine();
        for (const txn of txns) {
          const bytes = encodeCommand(txn);
          const { costBytes } = machine.store;
          machine.apply(bytes, context);
          if (machine.frees(bytes)) expect(machine.store.costBytes).toBeLessThanOrEqual(costBytes);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('history', () => {
  it('is trimmed by bytes too, and always keeps the newest revision', () => {
    const machine = new KvStateMachine({ history: { revisionCountMax: 100, bytesMax: 1_000 } });
    for (let count = 0; count < 10; count += 1)
      apply(machine, { then: [put(`k${count}`, 'x'.repeat(200))] });
    expect(machine.store.history.oldestRevision).toBe(8);
    apply(machine, { then: [put('large', 'x'.repeat(5_000))] });
    expect(machine.store.history.oldestRevision).toBe(11);
    expect(machine.store.history.get(11)?.events).toHaveLength(1);
  });

  it('does not vouch for what it has forgotten: unchanged since then does not hold', () => {
    const machine = new KvStateMachine({ history: { revisionCountMax: 2, bytesMax: 10_000 } });
    for (let count = 0; count < 5; count += 1) apply(machine, { then: [put('a', count)] });
    const unchanged = (since: number): unknown =>
      apply(machine, { compares: [{ type: 'unchanged', selector: { prefix: 'b' }, since }] });
    expect(unchanged(3)).toMatchObject({ succeeded: true });
    expect(unchanged(2)).toMatchObject({ succeeded: false });
  });

  it('stays exact through many trims', () => {
    const machine = new KvStateMachine({ history: { revisionCountMax: 10, bytesMax: 1_000_000 } });
    for (let count = 1; count <= 1_000; count += 1) {
      apply(machine, { then: [put('a', count)] });
      const { history } = machine.store;
      expect(history.oldestRevision).toBe(Math.max(1, count - 9));
      expect(history.get(count)?.events[0]?.record?.entry().value).toBe(count);
      expect(history.get(count + 1)).toBeUndefined();
    }
  });
});

describe('digest()', () => {
  it('K7 does not depend on the order in which a member of a value was inserted', () => {
    const digests = [
      { a: 1, b: { c: 2, d: 3 } },
      { b: { d: 3, c: 2 }, a: 1 },
    ].map((value) => {
      const machine = new KvStateMachine();
      apply(machine, { then: [put('k', value)] });
      return machine.digest();
    });
    expect(digests[0]).toBe(digests[1]);
  });

  it('differs where a value, a revision or the history differs', () => {
    const digests = [[put('a', 1)], [put('a', 2)], [put('b', 1)], [put('a', 1), put('b', 1)]].map(
      (then) => {
        const machine = new KvStateMachine();
        apply(machine, { then });
        return machine.digest();
      },
    );
    expect(new Set(digests).size).toBe(4);
  });
});

describe('restore()', () => {
  it('refuses what is no snapshot and keeps the state it had', () => {
    fc.assert(
      fc.property(
        fc.array(someTxn, { maxLength: 8 }),
        fc.nat(),
        fc.nat(255),
        (txns, place, byte) => {
          const source = new KvStateMachine();
          for (const txn of txns) apply(source, txn);
          const bytes = Uint8Array.from(Buffer.concat([...source.snapshot()]));
          const machine = new KvStateMachine();
          apply(machine, { then: [put('mine', 1)] });
          const digest = machine.digest();
          const damaged = Uint8Array.from(bytes);
          damaged[place % bytes.length] = byte;
          for (const one of [damaged, bytes.subarray(0, place % bytes.length)]) {
            try {
              machine.restore(one);
            } catch (error) {
              // A digit after the magic is a later format.
              const { name } = error as Error;
              expect(name).toBe(place % bytes.length === 3 ? name : 'DecodeError');
              expect(machine.digest()).toBe(digest);
              continue;
            }
            // Some damage makes another valid snapshot; it must then be one through and through.
            const again = new KvStateMachine();
            again.restore(Uint8Array.from(Buffer.concat([...machine.snapshot()])));
            expect(again.digest()).toBe(machine.digest());
            machine.restore(Uint8Array.from(Buffer.concat([...source.snapshot()])));
            return;
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('Z62 says OUTDATED of a later format, and of nothing else', () => {
    const bytes = Uint8Array.from(Buffer.concat([...new KvStateMachine().snapshot()]));
    const machine = new KvStateMachine();
    const codes = [0x2f, 0x30, 0x32, 0x39, 0x3a].map((byte) => {
      bytes[3] = byte;
      try {
        machine.decode(bytes);
        return 'read';
      } catch (error) {
        return isQuorateError(error) ? error.code : (error as Error).name;
      }
    });
    expect(codes).toEqual(['DecodeError', 'DecodeError', 'OUTDATED', 'OUTDATED', 'DecodeError']);
    // The number counts only behind the rest.
    bytes.set([0x52, 0x4b, 0x56, 0x32]);
    expect(() => machine.decode(bytes)).toThrow('no snapshot');
  });

  it('Z40 is decode() and then what that gives back: until then nothing changes', () => {
    const source = new KvStateMachine();
    apply(source, { then: [put('a', 1)] });
    const machine = new KvStateMachine();
    apply(machine, { then: [put('mine', 1), put('other', 2)] });
    const before = machine.digest();
    const restore = machine.decode(Uint8Array.from(Buffer.concat([...source.snapshot()])));
    expect(machine.digest()).toBe(before);
    restore();
    expect(machine.digest()).toBe(source.digest());
  });

  it('keeps the identity of decoded values that did not change', () => {
    const machine = new KvStateMachine();
    apply(machine, { then: [put('a', { x: 1 }), put('b', { x: 2 })] });
    const before = machine.store.records.get('a')?.entry();
    const source = new KvStateMachine();
    source.restore(Uint8Array.from(Buffer.concat([...machine.snapshot()])));
    apply(source, { then: [put('b', { x: 3 })] });
    machine.restore(Uint8Array.from(Buffer.concat([...source.snapshot()])));
    expect(machine.store.records.get('a')?.entry()).toBe(before);
    expect(machine.store.records.get('b')?.entry().value).toEqual({ x: 3 });
  });

  it('splits a large snapshot into chunks', () => {
    const machine = new KvStateMachine();
    for (let count = 0; count < 20; count += 1) {
      apply(machine, { then: [put(`k${count}`, 'x'.repeat(50_000))] });
    }
    const chunks = [...machine.snapshot()];
    expect(chunks.length).toBeGreaterThan(5);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(200_000);
    // What history and map share is written once.
    expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1_100_000);
  });
});

it('options beyond their bounds are a RangeError', () => {
  expect(() => new KvStateMachine({ stateBytesMax: 0 })).toThrow(RangeError);
  expect(() => new KvStateMachine({ history: { revisionCountMax: 0, bytesMax: 1 } })).toThrow(
    RangeError,
  );
});
