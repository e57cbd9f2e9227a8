import { describe, expect, test } from 'vitest';
import { SessionModel } from './session-model.ts';

const lifetimeMs = 60_000;
const ran = { type: 'result', result: new Uint8Array(0), repeated: false } as const;

/** A model in which entry 5 opened a session at time 0. */
function begin(): SessionModel {
  const model = new SessionModel(lifetimeMs);
  const event = { type: 'sessionOpened', nonce: 'n', session: 5 } as const;
  model.applied(5, 0, { type: 'openSession', nonce: 'n' }, event);
  return model;
}

function call(model: SessionModel, index: number, seq: number, outcome: Outcome, time = 0): void {
  const command = new Uint8Array(0);
  const body = { type: 'command', session: 5, seq, firstUnacked: 1, command } as const;
  model.applied(index, time, body, { type: 'outcome', session: 5, seq, outcome });
}

type Outcome =
  typeof ran | { readonly type: 'dead' | 'expired' } | { type: 'gap'; nextSeq: number };

function end(model: SessionModel, index: number, time: number): void {
  model.applied(index, time, { type: 'sessions', seen: [], expired: [5] }, { type: 'none' });
}

describe('SessionModel', () => {
  test('Z26 calls run one after another; a gap, a repetition and a dead number are lawful', () => {
    const model = begin();
    call(model, 6, 2, { type: 'gap', nextSeq: 1 });
    call(model, 7, 1, ran);
    call(model, 8, 1, { ...ran, repeated: true } as never);
    call(model, 9, 2, { type: 'dead' });
    call(model, 10, 3, ran);
    expect(() => {
      call(model, 11, 5, ran);
    }).toThrow(/call-order: entry 11 runs call 5 of session 5 before call 4/);
  });

  test('C1 a call that runs twice', () => {
    const model = begin();
    call(model, 6, 1, ran);
    expect(() => {
      call(model, 7, 1, ran);
    }).toThrow(/exactly-once: entry 7 runs call 1/);
  });

  test('Z25 nothing runs in a session that has ended', () => {
    const model = begin();
    end(model, 6, 2 * lifetimeMs);
    call(model, 7, 1, { type: 'expired' });
    expect(() => {
      call(model, 8, 1, ran);
    }).toThrow(/sessions: entry 8 is of session 5, which has ended/);
  });

  test('Z27 a session that no entry has ended is there', () => {
    expect(() => {
      call(begin(), 6, 1, { type: 'expired' });
    }).toThrow(/sessions: entry 6 finds no session 5/);
  });

  test('Z27 a session does not end while its commands keep coming', () => {
    const model = begin();
    call(model, 6, 1, ran, 100_000);
    expect(() => {
      end(model, 7, 110_000);
    }).toThrow(/sessions: entry 7 ends session 5, seen 10000 ms before/);
  });
});
