/** Replicas of one process hold what they have in common once (T17). */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { concatBytes } from '@quorate/contracts';
import { describe, expect, it } from 'vitest';
import { encodeCommand } from './command.ts';
import type { KvRecord } from './record.ts';
import { written } from './record.ts';
import { SharedRecords } from './shared-records.ts';
import { KvStateMachine } from './state-machine.ts';
import { encodeValue } from './value.ts';

const context = { index: 1, time: 0 };
const long = 'x'.repeat(1_000);

function put(machine: KvStateMachine, key: string, value: string): void {
  const operation = { type: 'put', key, value: encodeValue(value), previous: false } as const;
  const { stateBytesMax } = machine;
  machine.apply(
    encodeCommand({ stateBytesMax, compares: [], then: [operation], else: [] }),
    context,
  );
}

function recordOf(machine: KvStateMachine, key: string): KvRecord {
  const record = machine.store.records.get(key);
  if (record === undefined) throw new Error(`${key} is not there`);
  return record;
}

describe('state machines beside each other', () => {
  it('T17 hold a value that both applied once, in the past too', () => {
    const one = new KvStateMachine();
    put(one, 'first', long);
    const two = one.beside();
    for (const key of ['first', 'second']) put(two, key, long);
    put(one, 'second', long);
    expect(two.digest()).toBe(one.digest());
    const before = recordOf(one, 'second');
    expect(recordOf(two, 'first')).toBe(recordOf(one, 'first'));
    expect(recordOf(two, 'second')).toBe(before);
    for (const machine of [one, two]) put(machine, 'second', `${long}y`);
    expect(recordOf(two, 'second')).toBe(recordOf(one, 'second'));
    expect(two.store.history.get(3)?.events[0]?.previous).toBe(before);
  });

  it('T17 hold once what a snapshot brings', () => {
    const one = new KvStateMachine();
    for (const key of ['a', 'b']) put(one, key, long);
    put(one, 'b', `${long}y`);
    const two = one.beside();
    two.restore(concatBytes([...one.snapshot()]));
    expect(two.digest()).toBe(one.digest());
    for (const key of ['a', 'b']) expect(recordOf(two, key)).toBe(recordOf(one, key));
  });

  it('T17 keep apart what only has the same name: a value of another cluster', () => {
    const one = new KvStateMachine();
    const two = one.beside();
    put(one, 'key', long);
    put(two, 'key', long.replace('x', 'z'));
    expect(two.digest()).not.toBe(one.digest());
    expect(recordOf(two, 'key').entry().value).toBe(long.replace('x', 'z'));
    expect(recordOf(one, 'key').entry().value).toBe(long);
  });
});

describe('SharedRecords', () => {
  const record = (revision: number, value: string): KvRecord =>
    written('key', encodeValue(value), revision, null);

  it('T17 tells records of one key and revision apart by all that they are', () => {
    const shared = new SharedRecords();
    const first = shared.take(record(2, long));
    expect(shared.take(record(2, long))).toBe(first);
    for (const other of [
      record(2, `${long}y`),
      record(3, long),
      written('key', encodeValue(long), 2, record(1, long)),
    ]) {
      expect(shared.take(other)).toBe(other);
    }
  });

  it('T17 remembers neither a small record nor one that nobody holds any more', async () => {
    const shared = new SharedRecords();
    shared.take(record(1, 'small'));
    expect(shared.size).toBe(0);
    for (let revision = 1; revision <= 100; revision++) shared.take(record(revision, long));
    expect(shared.size).toBe(100);
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    // What was forgotten is told in turns of its own.
    for (let turn = 0; turn < 100 && shared.size > 0; turn++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(shared.size).toBe(0);
  });
});
