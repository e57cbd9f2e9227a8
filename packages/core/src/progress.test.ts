import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inflight, Progress } from './progress.ts';

function progress(): Progress {
  return new Progress({
    peer: 'b',
    nextIndex: 10,
    nowTick: 0,
    inflightCountMax: 2,
    inflightBytesMax: 100,
  });
}

describe('Inflight', () => {
  test('equals a naive queue', () => {
    const steps = fc.array(fc.tuple(fc.nat(60), fc.nat(9)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (list) => {
        const inflight = new Inflight(4, 100);
        let naive: { index: number; bytes: number }[] = [];
        let last = 0;
        for (const [bytes, ack] of list) {
          const sum = naive.reduce((total, each) => total + each.bytes, 0);
          expect(inflight).toMatchObject({
            count: naive.length,
            bytes: sum,
            full: naive.length >= 4 || sum >= 100,
          });
          if (!inflight.full) {
            inflight.add(++last, bytes);
            naive.push({ index: last, bytes });
          }
          inflight.freeTo(last - ack);
          naive = naive.filter(({ index }) => index > last - ack);
        }
        inflight.freeTo(last);
        return inflight.count === 0 && inflight.bytes === 0;
      }),
    );
  });
});

describe('Progress', () => {
  test('starts at probe, where nothing counts as in flight', () => {
    const p = progress();
    p.sent(20, 50);
    expect(p).toMatchObject({ state: 'probe', nextIndex: 10, matchIndex: 0 });
    expect(p.inflight.count).toBe(0);
  });

  test('acknowledge() is monotone and frees the window', () => {
    const p = progress();
    expect(p.acknowledge(5)).toBe(true);
    p.becomeReplicate();
    p.sent(7, 10);
    p.sent(9, 10);
    expect(p.inflight.full).toBe(true);
    expect(p.nextIndex).toBe(10);
    expect(p.acknowledge(4)).toBe(false);
    expect(p.acknowledge(7)).toBe(true);
    expect(p.inflight.count).toBe(1);
    expect(p).toMatchObject({ matchIndex: 7, nextIndex: 10 });
  });

  test('becomeProbe() never goes back before what is acknowledged', () => {
    const p = progress();
    p.acknowledge(5);
    p.becomeProbe(2);
    expect(p).toMatchObject({ state: 'probe', nextIndex: 6, probeSent: false });
    p.becomeSnapshot(50);
    expect(p).toMatchObject({ state: 'snapshot', snapshotIndex: 50 });
    p.becomeReplicate();
    expect(p).toMatchObject({ state: 'replicate', nextIndex: 6, snapshotIndex: 0 });
  });
});

test('acknowledge() says whether it is news, and never takes anything back', () => {
  const one = progress();
  expect([4, 4, 3, 5].map((index) => one.acknowledge(index))).toEqual([true, false, false, true]);
  expect(one).toMatchObject({ matchIndex: 5, nextIndex: 10 });
  one.acknowledge(12);
  expect(one).toMatchObject({ matchIndex: 12, nextIndex: 13 });
});
