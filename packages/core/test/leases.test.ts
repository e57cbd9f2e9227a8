/**
 * Leases (thesis §6.4.1, Z23): what a leader may rest a read on without asking anybody. The core
 * keeps the promises and says which round of heartbeats a quorum answered; how long ago that round
 * was sent is the driver's to measure. Here the world's tick is everybody's clock.
 */
import { describe, expect, test } from 'vitest';
import { Prng } from '../src/index.ts';
import type { Config, Message } from '../src/index.ts';
import {
  cluster,
  disk,
  drain,
  id,
  logOf,
  membershipEntry,
  Network,
  noBytes,
  ofType,
  solo,
  voters,
} from './network.ts';
import type { Peer } from './network.ts';

const leased: Partial<Config> = { leaseReads: true };
const three = voters(1, 2, 3);

function heartbeat(term: number, from: number): Message {
  return { type: 'Heartbeat', from: id(from), to: id(1), term, leaderCommit: 0, readRound: 0 };
}

function requestVote(term: number, from: number, transfer = false): Message {
  const lastEntry = { term: 9, index: 99 };
  return { type: 'RequestVote', from: id(from), to: id(1), term, lastEntry, transfer };
}

function preVote(term: number, from: number): Message {
  return { type: 'PreVote', from: id(from), to: id(1), term, lastEntry: { term: 9, index: 99 } };
}

/** What `peer` answers to somebody who wants to be elected. */
function verdicts(peer: Peer, ...messages: Message[]): boolean[] {
  for (const message of messages) peer.raft.step(message);
  const sent = drain(peer);
  return [...ofType(sent, 'RequestVoteResponse'), ...ofType(sent, 'PreVoteResponse')].map(
    ({ granted }) => granted,
  );
}

/** A voter that just heard the leader 2 in term 2. */
function bound(over: Partial<Config> = leased): Peer {
  const peer = solo(disk(logOf(three, [1])), over);
  peer.raft.step(heartbeat(2, 2));
  drain(peer);
  return peer;
}

describe('lease()', () => {
  test('Z23 names the newest round that a quorum answered, and what is committed', () => {
    const network = cluster(3, leased);
    const leader = network.elect(1);
    const index = network.propose(leader, 'a');
    expect(leader.raft.lease()).toBeNull();
    network.tick(1, 1);
    const lease = leader.raft.lease();
    expect(lease).toEqual({ round: leader.raft.heartbeatRound()?.round, readIndex: index });
    network.isolate(1);
    network.tick(3, 1);
    expect(leader.raft.lease()).toEqual(lease);
    expect(leader.raft.heartbeatRound()).toEqual({
      term: leader.status.term,
      round: (lease?.round ?? 0) + 3,
    });
    network.propose(leader, 'not committed');
    expect(leader.raft.lease()).toEqual(lease);
  });

  test('Z23 there is none elsewhere, nor where leases are not kept', () => {
    const network = cluster(3, leased);
    network.elect(1);
    network.tick(2);
    for (const number of [2, 3]) {
      expect(network.peer(number).raft.lease()).toBeNull();
      expect(network.peer(number).raft.heartbeatRound()).toBeNull();
    }
    const plain = cluster(3);
    const leader = plain.elect(1);
    plain.tick(2);
    leader.raft.readIndex(1);
    plain.settle();
    expect(leader.raft.lease()).toBeNull();
    expect(leader.raft.heartbeatRound()).toBeNull();
  });

  test('Z23 R1 there is none before the leader has committed in its term', () => {
    const network = cluster(3, leased);
    network.drop = ({ type }) => type === 'AppendEntriesResponse';
    const leader = network.elect(1);
    network.tick(3);
    expect(leader.raft.lease()).toBeNull();
    network.heal();
    network.tick(2);
    expect(leader.raft.lease()?.readIndex).toBe(leader.status.lastEntry.index);
  });

  test('Z23 a single voter confirms itself', () => {
    const network = cluster(1, leased);
    network.settle();
    const peer = network.peer(1);
    expect(peer.raft.lease()).toBeNull();
    network.tick();
    expect(peer.raft.lease()?.readIndex).toBe(peer.status.commitIndex);
  });

  test('Z23 answers of learners count for nothing, and a joint membership needs both halves', () => {
    const network = new Network();
    const log = logOf({ ...voters(1, 2, 3), learners: [id(4), id(5)] }, [1]);
    for (const number of [1, 2, 3, 4, 5]) network.add(number, disk(log), leased);
    const leader = network.elect(1);
    network.tick(2);
    const before = leader.raft.lease()?.round ?? 0;
    network.isolate(2, 3);
    network.tick(2, 1, 4, 5);
    expect(leader.raft.lease()?.round).toBe(before);
    // The new voters are cut off: the old majority alone does not hold the lease any more.
    network.isolate(4, 5);
    const heardOfThem = leader.raft.heartbeatRound()?.round ?? 0;
    const change = leader.raft.proposeChange({
      membership: { voters: [id(1), id(4), id(5)], learners: [] },
      expectedIndex: leader.status.membershipIndex,
      context: noBytes,
    });
    expect(change.ok).toBe(true);
    network.tick(4, 1, 2, 3);
    expect(leader.raft.lease()?.round).toBe(heardOfThem);
    network.heal();
    network.tick(1, 1, 2, 3);
    expect(leader.raft.lease()?.round).toBeGreaterThan(heardOfThem);
  });

  test('Z23 a transfer ends it, and what a TimeoutNow may have begun never gives it back', () => {
    const network = cluster(3, leased);
    const leader = network.elect(1);
    network.tick(2);
    expect(leader.raft.lease()).not.toBeNull();
    network.drop = ({ type }) => type === 'TimeoutNow';
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    expect(leader.raft.lease()).toBeNull();
    network.tick(12);
    expect(leader.status).toMatchObject({ role: 'leader', transferTarget: null });
    expect(leader.raft.lease()).toBeNull();
  });

  test('Z23 a transfer that ends before its TimeoutNow costs nothing', () => {
    const network = cluster(3, leased);
    const leader = network.elect(1);
    network.isolate(3);
    network.propose(leader, 'a');
    network.tick(2);
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    expect(leader.raft.lease()).toBeNull();
    network.tick(12, 1, 2);
    expect(leader.status).toMatchObject({ role: 'leader', transferTarget: null });
    expect(leader.raft.lease()).not.toBeNull();
  });
});

describe('a voter that a lease may rest on', () => {
  test('Z23 elects nobody for the shortest election timeout, in no term', () => {
    const peer = bound();
    for (let tick = 0; tick < 10; tick++) {
      expect(verdicts(peer, preVote(3, 3), requestVote(3, 3))).toEqual([false]);
      peer.raft.tick();
    }
    expect(verdicts(peer, preVote(3, 3), requestVote(3, 3))).toEqual([true, true]);
  });

  test('Z23 not even after news of a later term made it forget its leader', () => {
    const news = { type: 'ReadIndex', from: id(3), to: id(1), term: 3, requestId: 1 } as const;
    const peer = bound();
    peer.raft.step(news);
    expect(peer.status).toMatchObject({ term: 3, leader: null });
    expect(verdicts(peer, requestVote(3, 3))).toEqual([false]);
    expect(verdicts(peer, preVote(4, 3))).toEqual([false]);
    // Without leases that is an election like any other.
    const free = bound({});
    free.raft.step(news);
    expect(verdicts(free, requestVote(3, 3))).toEqual([true]);
  });

  test('Z23 elects whom its leader sent', () => {
    expect(verdicts(bound(), requestVote(3, 3, true))).toEqual([true]);
    const peer = bound();
    peer.raft.step({ type: 'TimeoutNow', from: id(2), to: id(1), term: 2 });
    drain(peer);
    expect(peer.status).toMatchObject({ role: 'candidate', term: 3 });
  });

  test('Z23 ignores hints that its leader is gone', () => {
    const hinted = bound();
    const quiet = bound();
    hinted.raft.leaderLost(id(2));
    hinted.raft.campaign();
    expect(drain(hinted)).toEqual([]);
    expect(hinted.status).toEqual(quiet.status);
    let ticks = 0;
    for (; quiet.status.role === 'follower'; ticks++) {
      hinted.raft.tick();
      quiet.raft.tick();
    }
    expect(hinted.status.role).toBe('preCandidate');
    expect(ticks).toBeGreaterThanOrEqual(10);
    const free = bound();
    for (let i = 0; i < 10; i++) free.raft.tick();
    free.raft.campaign();
    expect(free.status.role).toBe('preCandidate');
  });
});

describe('the silence of a restarted run', () => {
  const silent: Partial<Config> = { leaseReads: true, silentTicks: 25 };

  test('Z23 grants no vote and seeks none, then does both', () => {
    const peer = solo(disk(logOf(three, [1])), silent);
    const idle = solo(disk(logOf(three, [1])), silent);
    peer.raft.campaign();
    for (let tick = 0; tick < 25; tick++) {
      expect(verdicts(peer, preVote(2, 3), requestVote(2, 3))).toEqual([false]);
      expect(drain(idle)).toEqual([]);
      peer.raft.tick();
      idle.raft.tick();
    }
    expect(verdicts(peer, requestVote(2, 3))).toEqual([true]);
    for (let tick = 0; tick < 10; tick++) idle.raft.tick();
    expect(idle.status.role).toBe('preCandidate');
  });

  test('Z23 ends on a leader’s word, and keeps nobody from following', () => {
    const peer = solo(disk(logOf(three, [1])), silent);
    expect(verdicts(peer, requestVote(2, 3, true))).toEqual([true]);
    peer.raft.step(heartbeat(2, 3));
    expect(ofType(drain(peer), 'HeartbeatResponse')).toHaveLength(1);
    peer.raft.step({ type: 'TimeoutNow', from: id(3), to: id(1), term: 2 });
    expect(peer.status.role).toBe('candidate');
  });

  test('Z23 a single voter waits too: who led before may not have heard that it is alone', () => {
    const peer = solo(disk([membershipEntry(1, 1, voters(1))]), silent);
    drain(peer);
    for (let tick = 0; tick < 25; tick++) {
      expect(peer.status.role).toBe('follower');
      peer.raft.tick();
    }
    for (let tick = 0; tick < 10; tick++) peer.raft.tick();
    drain(peer);
    expect(peer.status.role).toBe('leader');
  });

  test('Z23 three that restart together do not all stand at the end of it', () => {
    let split = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const network = new Network();
      for (const number of [1, 2, 3]) {
        const over = { ...silent, seed: seed * 3 + number };
        network.add(number, disk(logOf(three, [1])), over);
      }
      if (network.tickUntilLeader().status.term > 2) split++;
    }
    expect(split).toBeLessThan(20);
  });
});

test('R4 R6 Z23 whoever may answer from a lease has seen every commit, whatever happens', () => {
  let answered = 0;
  let leaderships = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const world = new LeaseWorld(seed);
    for (let step = 0; step < 6_000; step++) world.step();
    answered += world.answered;
    leaderships += world.termCount;
  }
  // The schedules are worth something: leases were held, and leaders changed under them.
  expect(answered).toBeGreaterThan(30_000);
  expect(leaderships).toBeGreaterThan(200);
}, 60_000);

/** Every so many ticks of the world each member ticks once, at a place in the round of its own. */
class LeaseWorld {
  answered = 0;
  readonly #network = new Network();
  readonly #prng: Prng;
  readonly #numbers: number[];
  readonly #terms = new Set<number>();
  #nowTick = 0;
  #turn = 0;
  #committed = 0;
  /** Of each leader: the newest round seen, when, and since when each round may be out. */
  readonly #seen = new Map<number, { term: number; round: number; at: number }>();
  readonly #sentAt = new Map<string, number>();

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    const count = this.#prng.between(1, 6);
    this.#numbers = Array.from({ length: count }, (_, i) => i + 1);
    const first = membershipEntry(1, 1, voters(...this.#numbers));
    for (const number of this.#numbers) {
      const over = { leaseReads: true, silentTicks: 20, seed: seed * 8 + number };
      this.#network.add(number, disk([first]), over).autoSync = this.#prng.between(0, 3) > 0;
    }
  }

  get termCount(): number {
    return this.#terms.size;
  }

  step(): void {
    const peer = this.#network.peer(this.#pick(this.#numbers));
    const luck = this.#prng.between(0, 1_000);
    if (luck < 400) this.#tickNext();
    else if (luck < 850) this.#deliver();
    else if (luck < 890) peer.sync();
    else if (luck < 940) peer.raft.propose([noBytes]);
    else if (luck < 955) peer.raft.transferLeadership(id(this.#pick(this.#numbers)));
    else if (luck < 970) peer.raft.campaign();
    else if (luck < 980 && peer.status.leader !== null) peer.raft.leaderLost(peer.status.leader);
    else if (luck < 985) peer.restart();
    else if (luck < 988) this.#isolate();
    else if (luck < 997) this.#network.heal();
    else this.#change(peer);
    this.#observe();
    this.#network.collect();
    this.#check();
  }

  #tickNext(): void {
    const number = this.#numbers[this.#turn++];
    if (number !== undefined) return this.#network.peer(number).raft.tick();
    this.#turn = 0;
    this.#nowTick++;
  }

  /** Any message of the queue: now, twice, or never. */
  #deliver(): void {
    const { queue } = this.#network;
    for (let count = this.#prng.between(1, 6); count > 0 && queue.length > 0; count--) {
      const at = this.#chance(2) ? 0 : this.#prng.between(0, queue.length);
      const [message] = this.#chance(12) ? queue.slice(at, at + 1) : queue.splice(at, 1);
      if (message !== undefined && !this.#chance(40)) this.#network.deliver(message);
    }
  }

  /** The leader's side, and a side that may elect another; sometimes anything. */
  #isolate(): void {
    const leader = this.#numbers.find((number) => {
      return this.#network.peer(number).status.role === 'leader';
    });
    this.#network.isolate(
      ...this.#numbers.filter((number) => number === leader || this.#chance(3)),
    );
  }

  #change(peer: Peer): void {
    const some = this.#numbers.filter(() => this.#chance(2)).map(id);
    peer.raft.proposeChange({
      membership: { voters: some, learners: [] },
      expectedIndex: peer.status.membershipIndex,
      context: noBytes,
    });
  }

  /** As a driver does: what is new since the last look was sent after that look. */
  #observe(): void {
    for (const number of this.#numbers) {
      const now = this.#network.peer(number).raft.heartbeatRound();
      const before = this.#seen.get(number);
      if (now === null) {
        this.#seen.delete(number);
        continue;
      }
      this.#terms.add(now.term);
      const from = before?.term === now.term ? before.round : 0;
      for (let round = from + 1; round <= now.round; round++) {
        this.#sentAt.set(`${number}/${now.term}/${round}`, before?.at ?? this.#nowTick);
      }
      this.#seen.set(number, { ...now, at: this.#nowTick });
    }
  }

  #check(): void {
    this.#observe();
    for (const number of this.#numbers) {
      const { raft } = this.#network.peer(number);
      const { term, commitIndex } = raft.status();
      this.#committed = Math.max(this.#committed, commitIndex);
      const lease = raft.lease();
      if (lease === null) continue;
      const sentAt = this.#sentAt.get(`${number}/${term}/${lease.round}`) ?? -Infinity;
      // A member's tick may follow at once on what it heard, so one of them is worth nothing.
      if (this.#nowTick - sentAt >= 9) continue;
      this.answered++;
      if (lease.readIndex < this.#committed) {
        throw new Error(`${number} would read at ${lease.readIndex} of ${this.#committed}`);
      }
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#prng.between(0, items.length)] as T;
  }

  #chance(oneIn: number): boolean {
    return this.#prng.between(0, oneIn) === 0;
  }
}
