import { describe, expect, test } from 'vitest';
import type { Config } from '../src/index.ts';
import { Raft } from '../src/index.ts';
import {
  disk,
  drain,
  id,
  logOf,
  membershipEntry,
  Network,
  ofType,
  solo,
  voters,
} from './network.ts';
import type { Peer } from './network.ts';

const three = voters(1, 2, 3);

/** Three voters with these priorities. */
function trio(seed: number, priorities: readonly number[], over: Partial<Config> = {}): Network {
  const network = new Network();
  priorities.forEach((priority, i) => {
    const first = membershipEntry(1, 1, three);
    network.add(i + 1, disk([first]), { ...over, priority, seed: seed * 3 + i });
  });
  return network;
}

/** After how many ticks of silence `peer` stands for election, over many attempts. */
function patience(peer: Peer): { least: number; most: number } {
  const waits: number[] = [];
  let since = 0;
  for (let tick = 0; tick < 3_000; tick++) {
    since++;
    peer.raft.tick();
    if (ofType(drain(peer), 'PreVote').length > 0) {
      waits.push(since);
      since = 0;
    }
  }
  return { least: Math.min(...waits), most: Math.max(...waits) };
}

describe('priority', () => {
  test('a lower one waits longer, at most by the shortest election timeout', () => {
    const of = (priority: number): Peer => solo(disk(logOf(three, [1])), { priority });
    expect(patience(solo(disk(logOf(three, [1]))))).toEqual({ least: 10, most: 19 });
    expect(patience(of(2))).toEqual({ least: 10, most: 19 });
    expect(patience(of(1))).toEqual({ least: 15, most: 24 });
    expect(patience(of(0))).toEqual({ least: 20, most: 29 });
  });

  test('whoever is wished for leads, though the others would have stood before it', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const network = trio(seed, [0, 2, 0]);
      expect(network.tickUntilLeader().nodeId).toBe(id(2));
      // The first attempt of a wished one comes before any of the others, also after a dead leader.
      network.peer(2).up = false;
      expect(network.tickUntilLeader().nodeId).not.toBe(id(2));
    }
  });

  test('a wish is never a veto: with the log that only it has, the least wished one leads', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const network = new Network();
      network.add(1, disk(logOf(three, [1])), { priority: 2, seed: seed * 3 });
      network.add(2, disk(logOf(three, [1])), { priority: 2, seed: seed * 3 + 1 });
      network.add(3, disk(logOf(three, [1, 2])), { priority: 0, seed: seed * 3 + 2 });
      network.peer(2).up = false;
      expect(network.tickUntilLeader(200).nodeId).toBe(id(3));
    }
  });

  test('a cluster that nobody of is wished for elects as ever, with split votes as rare (E12)', () => {
    let split = 0;
    for (let seed = 1; seed <= 100; seed++) {
      if (trio(seed, [0, 0, 0]).tickUntilLeader(60).status.term > 2) split++;
    }
    expect(split).toBeLessThan(20);
  });

  test('nobody is deposed for it: a leader of low priority stays', () => {
    const network = trio(1, [0, 2, 2]);
    const leader = network.elect(1);
    network.tick(200);
    expect(leader.status).toMatchObject({ role: 'leader', term: 2 });
  });

  test('leaderLost() leaves the first try to those wished for', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const network = trio(seed, [2, 0, 2]);
      network.elect(1);
      network.peer(1).up = false;
      for (const number of [2, 3]) network.peer(number).raft.leaderLost(id(1));
      expect(network.tickUntilLeader(12).nodeId).toBe(id(3));
    }
  });

  test('setPriority() counts from the next attempt on', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.setPriority(0);
    expect(patience(peer)).toEqual({ least: 20, most: 29 });
    peer.raft.setPriority(2);
    peer.raft.step({
      type: 'Heartbeat',
      from: id(2),
      to: id(1),
      term: 2,
      leaderCommit: 0,
      readRound: 0,
    });
    expect(patience(peer)).toEqual({ least: 10, most: 19 });
  });

  test('what is no priority is refused', () => {
    const peer = solo(disk(logOf(three, [1])));
    const { hardState, entries } = peer.disk;
    for (const priority of [-1, 3, 0.5, Number.NaN]) {
      expect(() => peer.raft.setPriority(priority)).toThrow(RangeError);
      const config = { nodeId: id(1), seed: 1, priority };
      const initial = { hardState, snapshot: null, entries, appliedIndex: 0 };
      expect(() => new Raft(config, initial)).toThrow(/priority/);
    }
  });
});
