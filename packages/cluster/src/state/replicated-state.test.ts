import { encodeMembershipEntry, plainMembership } from '@quorate/core';
import type { Entry } from '@quorate/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineMachine } from '../../test/world.ts';
import { concatBytes, isQuorateError } from '@quorate/contracts';
import { decodeBody, decodeEntry, encodeBody, stamp, timeOf } from './envelope.ts';
import type { EntryBody } from './envelope.ts';
import { decodeHello, encodeHello } from '../links/hello.ts';
import { createPolicy, featureLevel, genesisFromCbor, genesisToCbor } from './policy.ts';
import type { Genesis, MemberFacts } from './policy.ts';
import { encodeMembershipContext, ReplicatedState } from './replicated-state.ts';

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const genesis: Genesis = {
  clusterId: a,
  generation: 1,
  namespace: 'test',
  founder: a,
  register: 'group',
  featureLevel,
  policy: createPolicy(),
};

/** A state and the entries it has applied. */
class Bench {
  readonly machine = new LineMachine();
  readonly state = new ReplicatedState(this.machine);
  #index = 0;

  apply(type: Entry['type'], data: Uint8Array): ReturnType<ReplicatedState['apply']> {
    return this.state.apply({ term: 1, index: ++this.#index, type, data });
  }

  body(time: number, body: EntryBody): ReturnType<ReplicatedState['apply']> {
    return this.apply('normal', stamp(time, encodeBody(body)));
  }

  membership(
    voters: readonly string[],
    learners: readonly string[],
    members: Readonly<Record<string, MemberFacts>> = {},
    founding: Genesis | null = null,
    left: readonly string[] = [],
  ): void {
    const context = encodeMembershipContext({
      genesis: founding,
      members: new Map(Object.entries(members)),
      left,
    });
    this.apply('membership', encodeMembershipEntry(plainMembership({ voters, learners }), context));
  }

  snapshot(): Uint8Array {
    return concatBytes([...this.state.snapshot()]);
  }
}

const disk = (label: string): MemberFacts => ({
  label,
  durable: true,
  runtime: 'node',
  domain: '',
  mayVote: true,
});
const memory = (label: string): MemberFacts => ({ ...disk(label), durable: false });

function filled(): Bench {
  const bench = new Bench();
  bench.membership([a], [], { [a]: disk('a') }, genesis);
  bench.membership([a], [b], { [b]: disk('b') });
  bench.body(10, { type: 'activated' });
  bench.body(20, { type: 'openSession', nonce: '00'.repeat(8) });
  const command = { type: 'command', session: 4, firstUnacked: 1 } as const;
  bench.body(30, { ...command, seq: 1, command: bytes('one') });
  bench.body(25, { ...command, seq: 2, command: bytes('two') });
  return bench;
}

describe('ReplicatedState', () => {
  test('it follows genesis, members, activation and time, and runs each command once', () => {
    const { state, machine } = filled();
    expect(state.genesis).toEqual(genesis);
    expect(state.activated).toBe(true);
    expect([...state.members]).toEqual([
      [a, disk('a')],
      [b, disk('b')],
    ]);
    expect(state.membershipIndex).toBe(2);
    expect(machine.lines).toEqual(['one', 'two']);
  });

  test('Z18 hasLeft() is true of whoever was removed on purpose, once it is gone; snapshots tell', () => {
    const bench = filled();
    expect(bench.state.hasLeft(b)).toBe(false);
    // Still there, as in the first half of a joint change.
    bench.membership([a], [b], {}, null, [b]);
    expect(bench.state.hasLeft(b)).toBe(false);
    bench.membership([a], []);
    expect(bench.state.hasLeft(b)).toBe(true);
    expect(bench.state.hasLeft(a)).toBe(false);
    const copy = new Bench();
    const { appliedIndex, membership, membershipIndex } = bench.state;
    const meta = { index: appliedIndex, term: 1, membership, membershipIndex };
    copy.state.decode(bench.snapshot(), meta)();
    expect(copy.state.hasLeft(b)).toBe(true);
    // Forgotten for its silence is something else.
    const other = filled();
    other.membership([a], []);
    expect(other.state.hasLeft(b)).toBe(false);
  });

  test('Z24 replicated time never goes back', () => {
    const bench = filled();
    expect(bench.state.time).toBe(30);
    bench.body(5, { type: 'activated' });
    expect(bench.state.time).toBe(30);
  });

  test('S4 M4 a snapshot restores all of it, and equal states give equal bytes', () => {
    const bench = filled();
    const { appliedIndex, membership, membershipIndex } = bench.state;
    const copy = new Bench();
    const meta = { index: appliedIndex, term: 1, membership, membershipIndex };
    copy.state.decode(bench.snapshot(), meta)();
    expect(copy.snapshot()).toEqual(bench.snapshot());
    expect(filled().snapshot()).toEqual(bench.snapshot());
    expect(copy.machine.lines).toEqual(['one', 'two']);
    expect(copy.state.genesis).toEqual(genesis);
    expect(copy.state.membership).toEqual(membership);
    expect(copy.state.appliedIndex).toBe(appliedIndex);
    const repeated = stamp(
      40,
      encodeBody({ type: 'command', session: 4, seq: 2, firstUnacked: 1, command: bytes('two') }),
    );
    const { event } = copy.state.apply({
      term: 1,
      index: appliedIndex + 1,
      type: 'normal',
      data: repeated,
    });
    expect(event).toMatchObject({ outcome: { type: 'result', repeated: true } });
    expect(copy.machine.lines).toEqual(['one', 'two']);
  });

  test('a member that is in no list any more is forgotten', () => {
    const bench = filled();
    bench.membership([a], [c], { [c]: disk('c') });
    expect([...bench.state.members.keys()]).toEqual([a, c]);
  });

  test('S1 entries are applied one by one: a gap or a repetition is our bug and stops', () => {
    const { state } = filled();
    for (const index of [state.appliedIndex, state.appliedIndex + 2]) {
      const noop: Entry = { term: 1, index, type: 'noop', data: new Uint8Array(0) };
      expect(() => state.apply(noop)).toThrow('Invariant broken');
    }
  });

  test('Z16 memory that votes beside a disk stops the member; memory alone or as learner does not', () => {
    const lawful = new Bench();
    lawful.membership([a], [], { [a]: memory('a') }, genesis);
    lawful.membership([a, b, c], [], { [b]: memory('b'), [c]: memory('c') });
    const learning = filled();
    learning.membership([a, b], [c], { [c]: memory('c') });
    const mixed = filled();
    expect(() => mixed.membership([a, b, c], [], { [c]: memory('c') })).toThrow(
      expect.objectContaining({ code: 'CONSENSUS_FATAL' }),
    );
  });

  test('Z21 an unknown kind of entry, actor, snapshot format or feature level stops the replica', () => {
    const bench = filled();
    const stops = (data: Uint8Array): void => {
      expect(() =>
        bench.state.apply({ term: 1, index: bench.state.appliedIndex + 1, type: 'normal', data }),
      ).toThrow();
    };
    stops(new Uint8Array([1, 99]));
    stops(new Uint8Array([1, 1, 4, 3, 1, 7, 1]));
    stops(new Uint8Array(0));
    expect(() =>
      genesisFromCbor(genesisToCbor({ ...genesis, featureLevel: featureLevel + 1 })),
    ).toThrow(expect.objectContaining({ code: 'OUTDATED' }));
  });
});

describe('the envelope', () => {
  const number = fc.nat({ max: 2 ** 40 });
  const body: fc.Arbitrary<EntryBody> = fc.oneof(
    fc
      .record({ session: number, seq: number, firstUnacked: number, command: fc.uint8Array() })
      .map((fields): EntryBody => ({ type: 'command', ...fields })),
    fc
      .record({ session: number, seq: number, firstUnacked: number })
      .map((fields): EntryBody => ({ type: 'resolve', ...fields })),
    fc.constant<EntryBody>({ type: 'openSession', nonce: 'ab'.repeat(8) }),
    fc
      .record({ seen: fc.array(number), expired: fc.array(number) })
      .map((fields): EntryBody => ({ type: 'sessions', ...fields })),
    fc.constant<EntryBody>({ type: 'activated' }),
    fc.constant<EntryBody>({ type: 'formed' }),
  );

  test('every body travels unchanged, with its time in front', () => {
    fc.assert(
      fc.property(body, number, (one, time) => {
        expect(decodeBody(encodeBody(one))).toEqual(one);
        const data = stamp(time, encodeBody(one));
        expect(timeOf(data)).toBe(time);
        expect(decodeEntry(data)).toEqual({ time, body: one });
      }),
    );
  });

  test('Z21 a committed entry of an unknown kind is OUTDATED: the replica must not go on', () => {
    const unknown = new Uint8Array([99]);
    expect(() => decodeEntry(stamp(5, unknown))).toThrow(
      expect.objectContaining({ code: 'OUTDATED' }) as Error,
    );
    // From another member, before it is in any log, it is only a bad request.
    expect(() => decodeBody(unknown)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }) as Error,
    );
  });

  test('any bytes are a body or an expected failure', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (junk) => {
        try {
          decodeBody(junk);
        } catch (error) {
          expect(isQuorateError(error, 'BAD_REQUEST')).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('decodeHello()', () => {
  const hello = {
    host: 'h',
    addresses: ['memory:h'],
    runs: [
      {
        nodeId: a,
        epoch: 1,
        nonce: '02',
        past: ['01', '00'],
        givenUp: [{ epoch: 2, nonce: '11' }],
        clusterId: null,
        generation: 0,
        label: 'x',
        durable: true,
        full: true,
        refuses: false,
        opening: { term: 3, votedFor: b, lastIndex: 7 },
        proof: new Uint8Array([1, 2, 3]),
      },
    ],
    leader: b,
    acquaintances: [{ host: 'g', addresses: [] }],
    witnesses: [
      {
        nodeId: a,
        epoch: 1,
        nonce: '00',
        past: [],
        generation: 1,
        host: 'g',
        term: 3,
        grant: { term: 2, to: b },
        heldIndex: 6,
        proof: null,
      },
    ],
    refused: [
      {
        nodeId: b,
        generation: 1,
        code: 'REPLICA_CLONED' as const,
        root: { epoch: 2, nonce: '02' },
        tip: { epoch: 3, nonce: '03' },
        before: '02',
        proof: new Uint8Array([4]),
        host: 'h',
        instead: { epoch: 2, nonce: '12' },
        insteadHost: null,
      },
    ],
    present: [{ term: 4, votedFor: b, lastIndex: 9 }],
    link: { random: '0a', earlier: ['0b', '0c'] },
    heard: [{ nodeId: b, nonce: '02', random: '0d', forgot: true }],
  };

  test('a hello travels unchanged and Z21 unknown fields are skipped', () => {
    expect(decodeHello(encodeHello(hello))).toEqual(hello);
    expect(decodeHello(encodeHello({ ...hello, news: 1 } as typeof hello))).toEqual(hello);
  });

  test('any damage is BAD_REQUEST, nothing else', () => {
    const whole = encodeHello(hello);
    fc.assert(
      fc.property(
        fc.nat({ max: whole.length - 1 }),
        fc.nat({ max: 255 }),
        fc.boolean(),
        (at, byte, cut) => {
          const damaged = cut ? Uint8Array.from(whole.subarray(0, at)) : Uint8Array.from(whole);
          if (!cut) damaged[at] = byte;
          try {
            decodeHello(damaged);
          } catch (error) {
            expect(isQuorateError(error, 'BAD_REQUEST')).toBe(true);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('createPolicy()', () => {
  test('what cannot be meant is an error that names the field', () => {
    const cases: [object, typeof RangeError | typeof TypeError][] = [
      [{ maxVoters: 2 }, RangeError],
      [{ maxVoters: 7 }, RangeError],
      [{ tickMs: 0 }, RangeError],
      [{ heartbeatMs: 1.5 }, RangeError],
      [{ electionTimeoutMsMin: 100 }, RangeError],
      [{ electionTimeoutMsMax: 1_000 }, RangeError],
      [{ snapshotEntries: Number.NaN }, RangeError],
      [{ trailingEntries: -1 }, RangeError],
      [{ trailingBytes: -1 }, RangeError],
      [{ catchUpBytes: 0 }, RangeError],
      [{ leaseReads: 'yes' }, TypeError],
      [{ voting: 'nobody' }, TypeError],
    ];
    for (const [wishes, kind] of cases) {
      const [name] = Object.keys(wishes);
      expect(() => createPolicy(wishes), name).toThrow(kind);
      expect(() => createPolicy(wishes)).toThrow(name);
    }
    expect(createPolicy({ trailingEntries: 0 }).trailingEntries).toBe(0);
  });

  test('Z23 the policy of a genesis is read as it was written', () => {
    for (const policy of [createPolicy(), createPolicy({ leaseReads: true, voting: 'everyone' })]) {
      expect(genesisFromCbor(genesisToCbor({ ...genesis, policy })).policy).toEqual(policy);
    }
  });

  test('Z21 T17 a genesis of a release that knew no bounds in bytes is read with the usual ones', () => {
    const given = createPolicy({ trailingBytes: 1, catchUpBytes: 2 });
    const written = genesisToCbor({ ...genesis, policy: given });
    expect(genesisFromCbor(written).policy).toEqual(given);
    const { trailingBytes: _, catchUpBytes: __, ...before } = given;
    const { policy } = genesisFromCbor({ ...written, policy: before });
    expect(policy).toEqual(createPolicy());
    const { snapshotBytes: ___, ...short } = given;
    expect(() => genesisFromCbor({ ...written, policy: short })).toThrow('snapshotBytes');
  });
});
