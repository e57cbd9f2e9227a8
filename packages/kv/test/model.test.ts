import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvStateMachine } from '../src/state-machine.ts';
import { select } from '../src/selection.ts';
import { someTxn, apply, somePrefix } from './commands.ts';
import { NaiveStore } from './naive.ts';

const history = { revisionCountMax: 5, bytesMax: 1_000_000 };

describe('KvStateMachine against a naive twin', () => {
  it('agrees on results, state, revisions and history after any commands', () => {
    fc.assert(
      fc.property(fc.array(someTxn, { maxLength: 40 }), (txns) => {
        const machine = new KvStateMachine({ history });
        const naive = new NaiveStore(history.revisionCountMax);
        for (const txn of txns) {
          const wanted = naive.execute(txn);
          const result = apply(machine, txn);
          if (wanted === 'refused') expect(result.type).toBe('refused');
          else
            expect(result).toMatchObject({
              type: 'done',
              succeeded: wanted,
              revision: naive.revision,
            });
          expect(select(machine.store, { selector: { prefix: '' } }).entries).toEqual(
            naive.select(''),
          );
        }
        compareHistory(machine, naive);
      }),
      { numRuns: 300 },
    );
  });

  it('reads every revision inside the history as it was, in both orders', () => {
    fc.assert(
      fc.property(fc.array(someTxn, { maxLength: 20 }), somePrefix, (txns, prefix) => {
        const machine = new KvStateMachine({ history });
        const naive = new NaiveStore(history.revisionCountMax);
        for (const txn of txns) {
          naive.execute(txn);
          apply(machine, txn);
        }
        const { store } = machine;
        const selector = { prefix };
        for (let revision = naive.oldestRevision - 1; revision <= naive.revision; revision += 1) {
          const wanted = naive.select(prefix, revision);
          const descending = [...wanted].reverse();
          expect(select(store, { selector, revision }).entries).toEqual(wanted);
          expect(select(store, { selector, revision, order: 'desc' }).entries).toEqual(descending);
          expect(select(store, { selector, revision, countOnly: true })).toEqual({
            entries: [],
            revision,
            more: false,
            count: wanted.length,
          });
          expect(select(store, { selector, revision, limit: 2 })).toMatchObject({
            entries: wanted.slice(0, 2),
            more: wanted.length > 2,
          });
        }
        for (let revision = 0; revision < naive.oldestRevision - 1; revision += 1) {
          expect(() => select(store, { selector, revision })).toThrow(/history begins at/);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('restores from a snapshot to the same digest and the same later behaviour (K7)', () => {
    fc.assert(
      fc.property(
        fc.array(someTxn, { maxLength: 20 }),
        fc.array(someTxn, { maxLength: 10 }),
        (before, after) => {
          const machine = new KvStateMachine({ history });
          for (const txn of before) apply(machine, txn);
          const copy = new KvStateMachine({ history });
          apply(copy, { then: [{ type: 'increment', key: 'other', by: 1 }] });
          copy.restore(concat(machine.snapshot()));
          expect(copy.digest()).toBe(machine.digest());
          for (const txn of after) expect(apply(copy, txn)).toEqual(apply(machine, txn));
          expect(copy.digest()).toBe(machine.digest());
          expect(copy.store.costBytes).toBe(machine.store.costBytes);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('a snapshot is the state at its capture, whatever is applied while it is written (S1)', () => {
    fc.assert(
      fc.property(
        fc.array(someTxn, { maxLength: 20 }),
        fc.array(someTxn, { maxLength: 20 }),
        (before, after) => {
          const machine = new KvStateMachine({ history });
          for (const txn of before) apply(machine, txn);
          const digest = machine.digest();
          const snapshot = machine.snapshot();
          for (const txn of after) apply(machine, txn);
          const copy = new KvStateMachine({ history });
          copy.restore(concat(snapshot));
          expect(copy.digest()).toBe(digest);
        },
      ),
      { numRuns: 100 },
    );
  });
});

function compareHistory(machine: KvStateMachine, naive: NaiveStore): void {
  const { store } = machine;
  expect(store.history.oldestRevision).toBe(naive.oldestRevision);
  for (let revision = naive.oldestRevision; revision <= naive.revision; revision += 1) {
    const events = store.history.get(revision)?.events.map(({ key, record, previous }) => ({
      key,
      entry: record?.entry() ?? null,
      previous: previous?.entry() ?? null,
    }));
    expect(events).toEqual(naive.events[revision]);
  }
  expect(store.history.get(naive.oldestRevision - 1)).toBeUndefined();
}

function concat(chunks: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from(Buffer.concat([...chunks]));
}
