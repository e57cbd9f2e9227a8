import { Raft } from '@quorate/core';
import type { Entry, InitialState, Message, PersistBatch, SoftState } from '@quorate/core';
import { encodeMembershipEntry, plainMembership } from '@quorate/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import type { LogStorage, QuorateError } from '@quorate/contracts';
import { MemoryDisk, MemoryStorage } from '@quorate/contracts/memory';
import { joinBatches, Turn } from './turn.ts';

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A disk whose syncs wait until the test completes them. */
class GatedDisk {
  readonly disk: MemoryDisk;
  readonly #waiting: (() => void)[] = [];
  open = true;

  constructor(reserveBytes: number) {
    this.disk = new MemoryDisk({
      durable: true,
      reserveBytes,
      sync: (complete) => {
        if (this.open) queueMicrotask(complete);
        else this.#waiting.push(complete);
      },
    });
  }

  release(): void {
    this.open = true;
    for (const complete of this.#waiting.splice(0)) complete();
  }
}

type Bench = {
  readonly clock: ManualClock;
  readonly raft: Raft;
  readonly turn: Turn;
  readonly gate: GatedDisk;
  readonly storage: LogStorage;
  readonly sent: Message[];
  readonly committed: Entry[];
  readonly failures: QuorateError[];
  readonly full: boolean[];
  /** Kinds of what was refused. */
  readonly refused: string[];
  readonly batches: PersistBatch[];
  softState: SoftState | null;
  /** Ticks `count` times and carries out what follows. */
  tick(count: number): Promise<void>;
  step(message: Message): Promise<void>;
};

/** Replica `a` of `voters`, with their membership stored and committed as entry 1. */
async function bench(voters: readonly string[], reserveBytes = 0): Promise<Bench> {
  const clock = new ManualClock();
  const gate = new GatedDisk(reserveBytes);
  const storage = new MemoryStorage(gate.disk);
  await storage.open({ create: true, newNodeId: a, nonce: '00'.repeat(8) });
  const loaded = await storage.load();
  const entry: Entry = {
    term: 1,
    index: 1,
    type: 'membership',
    data: encodeMembershipEntry(plainMembership({ voters, learners: [] }), new Uint8Array(0)),
  };
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 1 };
  await storage.persist({ number: 0, hardState, entries: [entry] });
  const initial: InitialState = { ...loaded, hardState, entries: [entry], appliedIndex: 1 };
  const raft = new Raft(
    {
      nodeId: a,
      seed: 1,
      heartbeatTicks: 1,
      electionTimeoutTicksMin: 10,
      electionTimeoutTicksMax: 20,
    },
    initial,
  );
  const batches: PersistBatch[] = [];
  const persist = storage.persist.bind(storage);
  storage.persist = (batch) => {
    batches.push(batch);
    return persist(batch);
  };
  const sent: Message[] = [];
  const committed: Entry[] = [];
  const failures: QuorateError[] = [];
  const full: boolean[] = [];
  const refused: string[] = [];
  const outbox = {
    post: (messages: readonly Message[]): void => {
      sent.push(...messages);
    },
    flush: (): void => undefined,
  };
  const turn = new Turn(raft, storage, clock, outbox, {
    collect: () => undefined,
    committed: (entries) => {
      committed.push(...entries);
      raft.applied(entries.at(-1)?.index ?? 0);
    },
    appended: () => undefined,
    reads: () => undefined,
    softState: (state) => {
      result.softState = state;
    },
    truncated: () => undefined,
    sendSnapshot: () => undefined,
    received: () => new Uint8Array(0),
    installed: () => undefined,
    full: (isFull) => full.push(isFull),
    refused: (messages) => refused.push(...messages.map(({ kind }) => kind)),
    failed: (error) => failures.push(error),
  });
  const result: Bench = {
    clock,
    raft,
    turn,
    gate,
    storage,
    sent,
    committed,
    failures,
    full,
    refused,
    batches,
    softState: null,
    async tick(count) {
      for (let i = 0; i < count; i++) raft.tick();
      turn.schedule();
      await clock.settle();
    },
    async step(message) {
      raft.step(message);
      turn.schedule();
      await clock.settle();
    },
  };
  turn.schedule();
  await clock.settle();
  return result;
}

/** Makes `a` the leader with the vote of `b`. */
async function elect(node: Bench): Promise<void> {
  await node.tick(20);
  const { term } = node.raft.status();
  const granted = { from: b, to: a, term: term + 1, granted: true } as const;
  await node.step({ type: 'PreVoteResponse', ...granted, votedFor: null });
  await node.step({ type: 'RequestVoteResponse', ...granted });
  expect(node.raft.status().role).toBe('leader');
  node.sent.length = 0;
}

const typesOf = (messages: readonly Message[]): string[] => messages.map(({ type }) => type);

describe('Turn', () => {
  test('T8 L5 a refusal is told; the turn ends with what a quorum stands behind', async () => {
    const node = await bench([a, b, c]);
    const head = { from: b, to: a, term: 2 } as const;
    await node.step({ type: 'RequestVoteResponse', ...head, from: 'dd'.repeat(16), granted: true });
    await node.step({ type: 'Heartbeat', ...head, leaderCommit: 99, readRound: 0 });
    expect(node.refused).toEqual(['unasked', 'contradiction']);
    expect(node.failures).toEqual([]);
    const answer = { ...head, granted: false, votedFor: b } as const;
    for (const from of [b, c]) await node.step({ type: 'PreVoteResponse', ...answer, from });
    expect(node.failures).toMatchObject([{ code: 'CONSENSUS_FATAL' }]);
  });

  test('E1 Z22 a vote is not granted before it is durable, and is granted once it is', async () => {
    const node = await bench([a, b, c]);
    node.gate.open = false;
    await node.step({
      type: 'RequestVote',
      from: b,
      to: a,
      term: 2,
      lastEntry: { term: 1, index: 1 },
      transfer: false,
    });
    expect(node.sent).toEqual([]);
    node.gate.release();
    await node.clock.settle();
    expect(node.sent).toMatchObject([
      { type: 'RequestVoteResponse', to: b, term: 2, granted: true },
    ]);
    expect(node.gate.disk.contents.hardState).toMatchObject({ currentTerm: 2, votedFor: b });
  });

  test('E1 a candidate asks for no vote before its own term and vote are durable', async () => {
    const node = await bench([a, b, c]);
    await node.tick(20);
    node.gate.open = false;
    node.sent.length = 0;
    const granted = { from: b, to: a, term: 2, granted: true } as const;
    await node.step({ type: 'PreVoteResponse', ...granted, votedFor: null });
    expect(typesOf(node.sent)).not.toContain('RequestVote');
    node.gate.release();
    await node.clock.settle();
    expect(typesOf(node.sent)).toContain('RequestVote');
    expect(node.gate.disk.contents.hardState).toMatchObject({ currentTerm: 2, votedFor: a });
  });

  test('Z22 heartbeats leave while the disk does not answer, acknowledgements do not', async () => {
    const node = await bench([a, b, c]);
    await elect(node);
    node.gate.open = false;
    node.raft.propose([bytes('x')]);
    await node.tick(1);
    await node.tick(1);
    await node.tick(1);
    expect(typesOf(node.sent).filter((type) => type === 'Heartbeat').length).toBeGreaterThanOrEqual(
      4,
    );
    expect(node.committed).toEqual([]);
  });

  test('Z22 a follower acknowledges entries only once they are on its disk', async () => {
    const node = await bench([a, b, c]);
    node.gate.open = false;
    const entries: Entry[] = [{ term: 2, index: 2, type: 'noop', data: new Uint8Array(0) }];
    await node.step({
      type: 'AppendEntries',
      from: b,
      to: a,
      term: 2,
      prevEntry: { term: 1, index: 1 },
      entries,
      leaderCommit: 1,
    });
    expect(typesOf(node.sent)).not.toContain('AppendEntriesResponse');
    node.gate.release();
    await node.clock.settle();
    expect(node.sent).toMatchObject([
      { type: 'AppendEntriesResponse', matchIndex: 2, rejected: null },
    ]);
  });

  test("L6 with the leader's disk stalled one acknowledgement of two commits nothing", async () => {
    const node = await bench([a, b, c]);
    await elect(node);
    node.gate.open = false;
    node.raft.propose([bytes('x')]);
    await node.tick(1);
    const { lastEntry, term } = node.raft.status();
    await node.step({
      type: 'AppendEntriesResponse',
      from: b,
      to: a,
      term,
      matchIndex: lastEntry.index,
      rejected: null,
    });
    expect(node.raft.status().commitIndex).toBeLessThan(lastEntry.index);
    node.gate.release();
    await node.clock.settle();
    expect(node.raft.status().commitIndex).toBe(lastEntry.index);
    expect(node.committed.at(-1)?.data).toEqual(bytes('x'));
  });

  test("L6 two of three durable elsewhere commit without the leader's own disk", async () => {
    const node = await bench([a, b, c]);
    await elect(node);
    node.gate.open = false;
    node.raft.propose([bytes('x')]);
    await node.tick(1);
    const { lastEntry, term } = node.raft.status();
    for (const from of [b, c]) {
      await node.step({
        type: 'AppendEntriesResponse',
        from,
        to: a,
        term,
        matchIndex: lastEntry.index,
        rejected: null,
      });
    }
    expect(node.raft.status().commitIndex).toBe(lastEntry.index);
    expect(node.committed, 'applied only once durable here').not.toContainEqual(
      expect.objectContaining({ index: lastEntry.index }),
    );
    node.gate.release();
    await node.clock.settle();
    expect(node.committed.at(-1)?.index).toBe(lastEntry.index);
  });

  test('what gathers while the disk is busy becomes one batch and one sync', async () => {
    const node = await bench([a]);
    await node.clock.settle();
    expect(node.raft.status().role).toBe('leader');
    node.gate.open = false;
    const before = node.batches.length;
    for (let i = 0; i < 20; i++) {
      node.raft.propose([bytes(`x${i}`)]);
      await node.tick(0);
    }
    node.gate.release();
    await node.clock.settle();
    expect(node.batches.length - before).toBe(2);
    expect(node.batches.at(-1)?.entries.length).toBe(19);
    expect(node.committed.at(-1)?.data).toEqual(bytes('x19'));
  });

  test('D5 a full disk: the same batch is tried until there is room, in order, and nothing is lost', async () => {
    const node = await bench([a]);
    node.gate.disk.full = true;
    node.raft.propose([bytes('x')]);
    await node.tick(0);
    node.raft.propose([bytes('y')]);
    await node.tick(0);
    await node.clock.advance(1_000);
    expect(node.full).toEqual([true]);
    expect(node.failures).toEqual([]);
    expect(node.committed.map((entry) => entry.type)).not.toContain('normal');
    node.gate.disk.full = false;
    await node.clock.advance(1_000);
    expect(node.full).toEqual([true, false]);
    const normal = node.committed.filter((entry) => entry.type === 'normal');
    expect(normal.map((entry) => entry.data)).toEqual([bytes('x'), bytes('y')]);
    expect(node.gate.disk.contents.entries.map((entry) => entry.index)).toEqual(
      node.gate.disk.contents.entries.map((_, i) => i + 1),
    );
  });

  test('T20 D5 what is kept for a full disk goes first, and is taken again once there is room', async () => {
    const node = await bench([a], 2_000);
    await node.clock.advance(1_000);
    node.gate.disk.full = true;
    node.raft.propose([bytes('x')]);
    await node.tick(0);
    await node.clock.settle();
    expect(node.full, 'written, and full all the same').toEqual([true]);
    expect(node.committed.at(-1)?.data).toEqual(bytes('x'));
    node.raft.propose([bytes('y'.repeat(3_000))]);
    await node.tick(0);
    await node.clock.advance(10_000);
    expect(node.committed.at(-1)?.data, 'more than is kept').toEqual(bytes('x'));
    node.gate.disk.full = false;
    await node.clock.advance(6_000);
    expect(node.full).toEqual([true, false]);
    expect(node.committed.at(-1)?.data.length).toBe(3_000);
    expect(node.failures).toEqual([]);
    // Once more: it was taken again.
    node.gate.disk.full = true;
    node.raft.propose([bytes('z')]);
    await node.tick(0);
    await node.clock.settle();
    expect(node.committed.at(-1)?.data).toEqual(bytes('z'));
  });

  test('T20 a disk that was full at the start is told before anything is written', async () => {
    const node = await bench([a, b, c], 2_000);
    node.gate.disk.full = true;
    await node.clock.advance(1_500);
    expect(node.full).toEqual([true]);
    node.gate.disk.full = false;
    await node.clock.advance(2_500);
    expect(node.full).toEqual([true, false]);
  });

  test('D1 a failed sync stops the replica: nothing of that batch is said or applied, ever', async () => {
    const node = await bench([a, b, c]);
    node.gate.disk.failSync();
    const entries: Entry[] = [{ term: 2, index: 2, type: 'noop', data: new Uint8Array(0) }];
    await node.step({
      type: 'AppendEntries',
      from: b,
      to: a,
      term: 2,
      prevEntry: { term: 1, index: 1 },
      entries,
      leaderCommit: 2,
    });
    expect(node.failures.map((error) => error.code)).toEqual(['STORAGE_FAILED']);
    node.sent.length = 0;
    await node.tick(30);
    await node.clock.advance(5_000);
    expect(node.sent).toEqual([]);
    expect(node.committed).toEqual([]);
    expect(node.failures.length).toBe(1);
  });

  test('after stop() nothing is persisted, sent or applied, whatever the disk says then', async () => {
    const node = await bench([a]);
    node.gate.open = false;
    node.raft.propose([bytes('x')]);
    await node.tick(0);
    node.turn.stop();
    const before = node.batches.length;
    node.gate.release();
    await node.tick(5);
    expect(node.committed.map((entry) => entry.type)).not.toContain('normal');
    expect(node.batches.length).toBe(before);
    expect(node.failures).toEqual([]);
  });
});

describe('joinBatches()', () => {
  test('one joined batch leaves what its parts leave one after the other', () => {
    const spec = fc.record({
      cut: fc.nat({ max: 6 }),
      count: fc.nat({ max: 5 }),
      term: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(spec, { minLength: 2, maxLength: 8 }), (specs) => {
        let naive: Entry[] = [];
        const batches: PersistBatch[] = [];
        specs.forEach(({ cut, count, term }, i) => {
          const from = Math.max(1, naive.length + 1 - cut);
          const entries = Array.from({ length: count }, (_, k): Entry => ({
            term: i,
            index: from + k,
            type: 'normal',
            data: bytes(`${i}.${k}`),
          }));
          const hardState = { currentTerm: term, votedFor: i % 2 === 0 ? a : null, commitIndex: i };
          batches.push({ number: i + 1, hardState, entries });
          if (count > 0) naive = [...naive.slice(0, from - 1), ...entries];
        });
        const joined = batches.reduce((first, second) => joinBatches(first, second));
        expect(joined.number).toBe(batches.length);
        expect(joined.hardState).toEqual(batches.at(-1)?.hardState);
        const first = joined.entries[0]?.index ?? 1;
        expect(joined.entries.map(({ index }) => index)).toEqual(
          joined.entries.map((_, i) => first + i),
        );
        expect(joined.entries).toEqual(naive.slice(first - 1));
        // The log was empty before, so all of it must be in the joined batch.
        expect(joined.entries.length).toBe(naive.length);
      }),
    );
  });
});
