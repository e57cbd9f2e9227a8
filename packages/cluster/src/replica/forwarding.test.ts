import type { ProposeResult } from '@quorate/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBody } from '../state/envelope.ts';
import type { EntryBody } from '../state/envelope.ts';
import { isQuorateError, QuorateError } from '@quorate/contracts';
import { decodeOutcomes, encodeBodies, encodeOutcomes, Forwarding } from './forwarding.ts';
import type { CommandOutcome } from '../state/sessions.ts';

const [self, other] = ['aa', 'bb'].map((digits) => digits.repeat(16)) as [string, string];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function command(seq: number): Uint8Array {
  return encodeBody({ type: 'command', session: 1, seq, firstUnacked: 1, command: bytes('x') });
}

const result: CommandOutcome = { type: 'result', result: bytes('done'), repeated: false };

class Bench {
  leader: string | null = self;
  linked = true;
  refusal: QuorateError | null = null;
  proposal: ProposeResult | 'wait' = { ok: true, term: 3, firstIndex: 10 };
  readonly proposed: Uint8Array[] = [];
  readonly requests: { to: string; method: string }[] = [];
  answer: Promise<Uint8Array> = new Promise(() => undefined);
  readonly forwarding = new Forwarding({
    nodeId: self,
    leader: () => this.leader,
    isLinked: () => this.linked,
    request: (to, method) => {
      this.requests.push({ to, method });
      return this.answer;
    },
    propose: (bodies) => {
      this.proposed.push(...bodies);
      return this.proposal;
    },
    refusal: () => this.refusal,
    timeoutMs: 1_000,
  });

  apply(index: number, term: number, outcome: CommandOutcome = result): void {
    const event = { type: 'outcome', session: 1, seq: 1, outcome } as const;
    this.forwarding.applied({ index, term, event });
  }

  serve(bodies: readonly Uint8Array[], signal = new AbortController().signal): Promise<string> {
    return Promise.resolve()
      .then(() => this.forwarding.serve(encodeBodies(bodies), signal))
      .then(
        (answer) =>
          decodeOutcomes(answer)
            .map((one) => one?.type ?? 'none')
            .join(),
        (error: unknown) => (isQuorateError(error) ? error.code : String(error)),
      );
  }
}

describe('Forwarding', () => {
  test('T20: what the leader refuses is refused whole and not proposed, what settles doubts is taken', async () => {
    const bench = new Bench();
    bench.refusal = new QuorateError('STORAGE_FULL', 'Cannot write: full');
    const resolve = encodeBody({ type: 'resolve', session: 1, seq: 1, firstUnacked: 1 });
    expect(await bench.serve([resolve, command(2)])).toBe('STORAGE_FULL');
    expect(bench.proposed).toEqual([]);
    const taken = bench.serve([resolve]);
    await Promise.resolve();
    bench.apply(10, 3);
    expect(await taken).toBe('result');
  });

  test('it goes to the own core when this replica leads, over rpc when another does, else waits', () => {
    const bench = new Bench();
    const send = (): string =>
      bench.forwarding.send(
        [command(1)],
        () => 0,
        () => 0,
      );
    expect(send()).toBe('taken');
    expect(bench.proposed.length).toBe(1);
    bench.proposal = 'wait';
    expect(send()).toBe('wait');
    bench.proposal = { ok: false, reason: 'overloaded', leader: self };
    expect(send()).toBe('overloaded');
    bench.proposal = { ok: false, reason: 'transferring', leader: self };
    expect(send()).toBe('wait');
    bench.leader = other;
    expect(send()).toBe('taken');
    expect(bench.requests).toEqual([{ to: other, method: 'propose' }]);
    bench.linked = false;
    expect(send()).toBe('wait');
    bench.leader = null;
    expect(send()).toBe('wait');
  });

  test('the answer of the leader is told by position; a refusal or an unreadable answer is a loss', async () => {
    const bench = new Bench();
    bench.leader = other;
    const told: string[] = [];
    const send = (): void => {
      bench.forwarding.send(
        [command(1), command(2)],
        (position, outcome) => told.push(`${position} ${outcome.type}`),
        () => told.push('lost'),
      );
    };
    bench.answer = Promise.resolve(encodeOutcomes([result, null]));
    send();
    await bench.answer;
    await Promise.resolve();
    expect(told.splice(0)).toEqual(['0 result']);
    bench.answer = Promise.resolve(new Uint8Array([200]));
    send();
    bench.answer = Promise.reject(new QuorateError('NO_LEADER', 'no leader'));
    send();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['lost', 'lost']);
  });

  test('serve() answers once all of its bodies are applied', async () => {
    const bench = new Bench();
    const served = bench.serve([command(1), command(2)]);
    await Promise.resolve();
    bench.apply(10, 3);
    bench.apply(11, 3, { type: 'gap', nextSeq: 1 });
    expect(await served).toBe('result,gap');
  });

  test('C2 the entry that took its index is not its own: the asker sends again', async () => {
    const bench = new Bench();
    const served = bench.serve([command(1)]);
    await Promise.resolve();
    bench.apply(10, 4);
    expect(await served).toBe('NO_LEADER');
  });

  test('C2 truncated, jumped over by a snapshot, too late: every asker is told, once', async () => {
    const bench = new Bench();
    const truncated = bench.serve([command(1)]);
    await Promise.resolve();
    bench.forwarding.truncated([{ index: 10, term: 2 }]);
    bench.forwarding.truncated([{ index: 10, term: 3 }]);
    expect(await truncated).toBe('NO_LEADER');
    const jumped = bench.serve([command(1), command(2)]);
    await Promise.resolve();
    bench.forwarding.restored(10);
    expect(await jumped).toBe('NO_LEADER');
    const controller = new AbortController();
    const late = bench.serve([command(1)], controller.signal);
    await Promise.resolve();
    controller.abort();
    expect(await late).toBe('TIMEOUT');
    bench.apply(10, 3);
    bench.apply(11, 3);
  });

  test('one hop and no more: who does not lead refuses, who is full says OVERLOADED', async () => {
    const bench = new Bench();
    bench.proposal = { ok: false, reason: 'not-leader', leader: other };
    expect(await bench.serve([command(1)])).toBe('NO_LEADER');
    expect(bench.requests).toEqual([]);
    bench.proposal = 'wait';
    expect(await bench.serve([command(1)])).toBe('NO_LEADER');
    bench.proposal = { ok: false, reason: 'overloaded', leader: self };
    expect(await bench.serve([command(1)])).toBe('OVERLOADED');
  });

  test('only bodies of a member are taken, and nothing that is none', async () => {
    const bench = new Bench();
    const foreign: EntryBody[] = [
      { type: 'activated' },
      { type: 'sessions', seen: [], expired: [1] },
    ];
    for (const body of foreign) expect(await bench.serve([encodeBody(body)])).toBe('BAD_REQUEST');
    expect(await bench.serve([bytes('junk')])).toBe('BAD_REQUEST');
    expect(await bench.serve([])).toBe('BAD_REQUEST');
    expect(bench.proposed).toEqual([]);
  });

  test('an answer to an asker that has gone harms nobody, and its places are free again', async () => {
    const bench = new Bench();
    const controller = new AbortController();
    const gone = bench.serve([command(1)], controller.signal);
    await Promise.resolve();
    controller.abort();
    await gone;
    const next = bench.serve([command(1)]);
    await Promise.resolve();
    bench.apply(10, 3);
    expect(await next).toBe('result');
  });

  test('outcomes travel unchanged, whatever they are', () => {
    const outcome = fc.oneof(
      fc
        .uint8Array()
        .map((one): CommandOutcome => ({ type: 'result', result: one, repeated: false })),
      fc.nat().map((nextSeq): CommandOutcome => ({ type: 'gap', nextSeq })),
      fc
        .constantFrom('dead', 'forgotten', 'overloaded', 'conflict', 'expired')
        .map((type) => ({ type })),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(outcome), (outcomes) => {
        expect(decodeOutcomes(encodeOutcomes(outcomes))).toEqual(outcomes);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (junk) => {
        try {
          decodeOutcomes(junk);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        }
      }),
    );
  });
});
