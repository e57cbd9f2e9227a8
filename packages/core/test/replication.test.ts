import { describe, expect, test } from 'vitest';
import { Prng } from '../src/index.ts';
import type { AppendEntries, Entry, Message } from '../src/index.ts';
import {
  bytes,
  cluster,
  disk,
  drain,
  elected,
  entry,
  id,
  logOf,
  membershipEntry,
  Network,
  noBytes,
  ofType,
  shuffled,
  solo,
  texts,
  voters,
} from './network.ts';
import type { Peer } from './network.ts';

const three = voters(1, 2, 3);

/** From 2, the leader of `term`, to 1. */
function append(
  term: number,
  prev: [number, number],
  terms: number[],
  leaderCommit = 0,
): AppendEntries {
  return {
    type: 'AppendEntries',
    from: id(2),
    to: id(1),
    term,
    prevEntry: { term: prev[0], index: prev[1] },
    leaderCommit,
    entries: terms.map((each, i) => entry(each, prev[1] + 1 + i)),
  };
}

function acks(messages: readonly Message[]): number[] {
  return ofType(messages, 'AppendEntriesResponse')
    .filter(({ rejected }) => rejected === null)
    .map(({ matchIndex }) => matchIndex);
}

function rejections(messages: readonly Message[]): (readonly [number, number, number])[] {
  return ofType(messages, 'AppendEntriesResponse').flatMap(({ rejected }) =>
    rejected === null ? [] : [[rejected.index, rejected.hint.term, rejected.hint.index] as const],
  );
}

function logTerms(peer: Peer): number[] {
  return peer.disk.entries.map(({ term }) => term);
}

describe('figure 2: AppendEntries, the receiver', () => {
  test('1. an earlier term is refused with the current one', () => {
    const peer = solo(disk(logOf(three, [5])));
    peer.raft.step(append(4, [1, 1], [4]));
    const sent = ofType(drain(peer), 'AppendEntriesResponse');
    expect(sent.map(({ term, matchIndex }) => [term, matchIndex])).toEqual([[5, 0]]);
    expect(logTerms(peer)).toEqual([1, 5]);
  });

  test('2. an append whose previous entry is missing or of another term is rejected', () => {
    const peer = solo(disk(logOf(three, [1, 2])));
    peer.raft.step(append(4, [3, 9], [4]));
    expect(rejections(drain(peer))).toEqual([[9, 2, 3]]);
    peer.raft.step(append(4, [3, 3], [4]));
    expect(rejections(drain(peer))).toEqual([[3, 2, 3]]);
    peer.raft.step(append(4, [1, 3], [4]));
    expect(rejections(drain(peer))).toEqual([[3, 1, 2]]);
  });

  test('3. and 4. a conflicting entry goes with all that follow it, and new ones are appended', () => {
    const peer = solo(disk(logOf(three, [1, 2, 2, 2])));
    peer.raft.step(append(4, [1, 2], [3, 4]));
    expect(acks(drain(peer))).toEqual([4]);
    expect(logTerms(peer)).toEqual([1, 1, 3, 4]);
  });

  test('5. the commit index follows the leader’s, up to the last entry of the message', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(append(2, [1, 2], [2, 2], 3));
    expect(peer.status.commitIndex).toBe(3);
    peer.raft.step(append(2, [2, 4], [2], 99));
    expect(peer.status.commitIndex).toBe(5);
  });

  test('L3 a stale tail is not committed by a commit index beyond what the message verified', () => {
    const peer = solo(disk(logOf(three, [1, 1, 1])));
    peer.raft.step(append(2, [1, 2], [], 5));
    expect(peer.status.commitIndex).toBe(2);
  });

  test('L4 an old append after later ones removes nothing', () => {
    const peer = solo(disk(logOf(three, [1])));
    const first = append(2, [1, 2], [2]);
    peer.raft.step(first);
    peer.raft.step(append(2, [2, 3], [2, 2]));
    drain(peer);
    peer.raft.step(first);
    peer.raft.step(append(2, [1, 1], [1]));
    // The answers say all that is known to agree.
    expect(acks(drain(peer))).toEqual([5, 5]);
    expect(logTerms(peer)).toEqual([1, 1, 2, 2, 2]);
  });

  test.each([
    ['an entry', append(3, [1, 1], [2])],
    ['the previous entry', append(3, [2, 2], [3])],
  ])(
    'L5 a conflict of %s at or below the commit index is fatal, if a quorum elected that leader',
    (_, message) => {
      const peer = solo(disk(logOf(three, [1, 1]), { commitIndex: 3 }));
      drain(peer);
      peer.raft.step(message);
      elected(peer, 2, 2);
      drain(peer);
      expect(peer.refused).toEqual([expect.stringMatching(/^contradiction: Cannot/)]);
      expect(peer.fatal).toBeNull();
      elected(peer, 2, 3);
      drain(peer);
      expect(peer.fatal).toMatch(/^Cannot/);
      expect(logTerms(peer)).toEqual([1, 1, 1]);
    },
  );

  test('L5 a leader that rewrites what it sent is fatal, if a quorum elected it', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(append(3, [1, 2], [2]));
    peer.raft.step(append(3, [1, 2], [3]));
    drain(peer);
    expect(peer.refused).toEqual([expect.stringMatching(/final/)]);
    expect(logTerms(peer)).toEqual([1, 1, 2]);
    elected(peer, 2, 2, 3);
    drain(peer);
    expect(peer.fatal).toMatch(/final/);
  });

  test('T8 entries that do not follow each other, or of a later term, are refused', () => {
    for (const entries of [[entry(2, 5)], [entry(3, 3)], [entry(2, 3), entry(1, 4)]]) {
      const peer = solo(disk(logOf(three, [1])));
      peer.raft.step({ ...append(2, [1, 2], []), entries });
      expect(acks(drain(peer))).toEqual([]);
      expect(peer.refused).toEqual([expect.stringMatching(/^contradiction: .*not consecutive/)]);
      expect(logTerms(peer)).toEqual([1, 1]);
      expect(peer.fatal).toBeNull();
    }
  });

  test('T8 a membership entry that cannot be read enters no log, nor what comes with it', () => {
    const peer = solo(disk(logOf(three, [1, 1])));
    const unreadable: Entry = { term: 2, index: 4, type: 'membership', data: bytes('?') };
    peer.raft.step({ ...append(2, [1, 2], []), entries: [entry(2, 3), unreadable] });
    drain(peer);
    expect(peer.refused).toEqual([expect.stringMatching(/^contradiction: .*append entry 4/)]);
    expect(logTerms(peer)).toEqual([1, 1, 1]);
    expect(peer.fatal).toBeNull();
    elected(peer, 2, 2, 3);
    drain(peer);
    expect(peer.fatal).toMatch(/append entry 4/);
  });
});

describe('what is acknowledged is durable', () => {
  test('Z22 an acknowledgement waits for the batch that made it true', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(append(2, [1, 2], []));
    drain(peer);
    peer.autoSync = false;
    peer.raft.step(append(2, [1, 2], [2]));
    expect(acks(drain(peer))).toEqual([]);
    peer.raft.step(append(2, [2, 3], [2, 2]));
    expect(acks(drain(peer))).toEqual([]);
    expect(peer.unsynced.map(({ entries }) => entries.map(({ index }) => index))).toEqual([
      [3],
      [4, 5],
    ]);
    peer.sync(1);
    expect(acks(drain(peer))).toEqual([3]);
    peer.sync(1);
    expect(acks(drain(peer))).toEqual([5]);
  });

  test('Z22 an acknowledgement waits for its term too', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(append(2, [1, 2], []));
    expect(acks(drain(peer))).toEqual([]);
    peer.sync();
    expect(acks(drain(peer))).toEqual([2]);
  });

  test('Z22 a durable tail that the leader has not verified is not acknowledged with the rest', () => {
    const peer = solo(disk(logOf(three, [1, 1, 1])));
    peer.autoSync = false;
    // Its term has to become durable first; entries 3 to 5 are another leader's, as far as it knows.
    peer.raft.step(append(2, [1, 2], []));
    drain(peer);
    peer.sync();
    expect(acks(drain(peer))).toEqual([2]);
    peer.raft.step(append(2, [1, 2], []));
    expect(acks(drain(peer))).toEqual([2]);
  });

  test('Z22 a duplicate whose entries are still under way is not acknowledged', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(append(2, [1, 2], []));
    drain(peer);
    peer.autoSync = false;
    const message = append(2, [1, 2], [2]);
    peer.raft.step(message);
    drain(peer);
    peer.raft.step(message);
    expect(acks(drain(peer))).toEqual([]);
    peer.sync();
    expect(acks(drain(peer))).toEqual([3]);
  });

  test('Z22 an acknowledgement that waits is forgotten when another leader replaces what it spoke of', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(append(2, [1, 2], [2, 2]));
    drain(peer);
    const other = { ...append(3, [1, 2], [3]), from: id(3) };
    peer.raft.step(other);
    expect(drain(peer)).toEqual([]);
    // Entry 2/3 is on the disk now, and already doomed.
    peer.sync(1);
    expect(drain(peer)).toEqual([]);
    expect(peer.status.durableIndex).toBe(2);
    peer.sync(1);
    expect(
      ofType(drain(peer), 'AppendEntriesResponse').map((each) => [
        each.to,
        each.term,
        each.matchIndex,
      ]),
    ).toEqual([[id(3), 3, 3]]);
  });

  test('Z22 an entry that was replaced and comes back is durable only once it was written again', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(append(2, [1, 2], [2]));
    drain(peer);
    peer.raft.step({ ...append(3, [1, 2], [3]), from: id(3) });
    drain(peer);
    peer.raft.step(append(4, [1, 2], [2, 4]));
    drain(peer);
    expect(peer.unsynced).toHaveLength(3);
    peer.sync(1);
    expect(peer.status.durableIndex).toBe(2);
    peer.sync(1);
    expect(peer.status.durableIndex).toBe(2);
    expect(acks(drain(peer))).toEqual([]);
    peer.sync(1);
    expect(acks(drain(peer))).toEqual([4]);
  });

  test('L7 a heartbeat is answered at once and acknowledges only what is durable', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    for (const number of [2, 3]) network.peer(number).autoSync = false;
    network.propose(leader, 'a');
    const before = leader.status.commitIndex;
    network.sent = [];
    network.tick(5);
    expect(ofType(network.sent, 'HeartbeatResponse').length).toBeGreaterThanOrEqual(10);
    expect(leader.status.commitIndex).toBe(before);
    expect(leader.status.role).toBe('leader');
    network.peer(2).sync();
    network.settle();
    expect(leader.status.commitIndex).toBe(before + 1);
  });

  test('L6 the leader’s disk stalls: with one of two followers nothing commits, with both it does', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    leader.autoSync = false;
    network.drop = ({ to }) => to === id(3);
    const index = network.propose(leader, 'a');
    expect(leader.status.commitIndex).toBeLessThan(index);
    network.heal();
    network.tick(3);
    expect(leader.status.commitIndex).toBe(index);
    // Committed by others; applied here only once it is durable here.
    expect(texts(leader.applied)).toEqual([]);
    expect(texts(network.peer(2).applied)).toEqual(['a']);
    leader.sync();
    network.settle();
    expect(texts(leader.applied)).toEqual(['a']);
  });

  test('L6 the leader counts its own copy when, and only when, it is durable', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    leader.autoSync = false;
    network.peer(3).autoSync = false;
    const index = network.propose(leader, 'a');
    expect(leader.status.commitIndex).toBe(index - 1);
    leader.sync();
    network.settle();
    expect(leader.status.commitIndex).toBe(index);
  });

  test('the commit index alone is no reason to write', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a');
    const writes = network.sent.length;
    for (const peer of network.peers.values()) peer.autoSync = false;
    network.tick(5);
    expect(network.sent.length).toBeGreaterThan(writes);
    for (const peer of network.peers.values()) expect(peer.unsynced).toEqual([]);
  });

  test('persisted() refuses a batch that was not given out, and ignores old news', () => {
    const peer = solo(disk(logOf(three, [1])));
    expect(() => peer.raft.persisted(1)).toThrow(RangeError);
    peer.raft.step(append(2, [1, 2], [2]));
    drain(peer);
    peer.raft.persisted(0);
    expect(peer.status.durableIndex).toBe(3);
  });
});

describe('the leader', () => {
  test('L1 figure 8: an entry of an earlier term on a majority is not committed by counting', () => {
    const five = voters(1, 2, 3, 4, 5);
    // (c): S1 leads term 4 again and replicated its entry of term 2; S5 holds one of term 3.
    const network = new Network();
    network.add(1, disk(logOf(five, [2]), { currentTerm: 3 }));
    for (const number of [2, 3, 4]) network.add(number, disk(logOf(five, []), { currentTerm: 3 }));
    network.add(5, disk(logOf(five, [3])));
    // Only the entry of term 2 gets through: S1's no-op does not.
    network.drop = (message) =>
      message.type === 'AppendEntries' && message.entries.some(({ term }) => term === 4);
    const cut: Message[] = [];
    network.peer(1).raft.campaign();
    network.settle();
    const leader = network.peer(1);
    expect(leader.status).toMatchObject({ role: 'leader', term: 4 });
    for (const number of [2, 3]) {
      const peer = network.peer(number);
      peer.raft.step({
        type: 'AppendEntries',
        from: id(1),
        to: peer.nodeId,
        term: 4,
        prevEntry: { term: 1, index: 1 },
        leaderCommit: 0,
        entries: [leader.disk.entries[1] as Entry],
      });
      cut.push(...drain(peer));
    }
    expect(acks(cut)).toEqual([2, 2]);
    for (const message of cut) leader.raft.step(message);
    expect(leader.status.commitIndex).toBe(0);
    // (d): so S5 may still be elected and overwrite it.
    network.isolate(1);
    network.elect(5);
    expect(logTerms(network.peer(2))).toEqual([1, 3, 5]);
    network.heal();
    network.tick(30);
    expect(logTerms(leader).slice(0, 2)).toEqual([1, 3]);
    expect(leader.truncated).toEqual(['4/3']);
  });

  test('L1 figure 8 (e): with an entry of its own term on a majority, the earlier one commits too', () => {
    const five = voters(1, 2, 3, 4, 5);
    const network = new Network();
    network.add(1, disk(logOf(five, [2]), { currentTerm: 3 }));
    for (const number of [2, 3, 4]) network.add(number, disk(logOf(five, []), { currentTerm: 3 }));
    network.add(5, disk(logOf(five, [3])));
    network.elect(1);
    expect(network.peer(1).status.commitIndex).toBe(3);
    expect(logTerms(network.peer(5))).toEqual([1, 2, 4]);
  });

  test('L2 figure 7: all six followers converge on the leader’s log', () => {
    const seven = voters(1, 2, 3, 4, 5, 6, 7);
    const logs = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    const network = new Network();
    logs.forEach((terms, i) => network.add(i + 1, disk(logOf(seven, terms), { currentTerm: 7 })));
    const leader = network.elect(1);
    network.propose(leader, 'x');
    for (const peer of network.peers.values()) {
      expect(logTerms(peer)).toEqual([1, ...(logs[0] as number[]), 8, 8]);
      expect(texts(peer.applied)).toEqual(texts(leader.applied));
    }
  });

  test('L9 a follower whose next entry is compacted gets a snapshot, never a gap', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    network.propose(leader, 'a', 'b', 'c');
    leader.compact();
    network.propose(leader, 'd');
    network.heal();
    network.sent = [];
    network.tick(3);
    expect(leader.snapshotsTo).toEqual([id(3)]);
    expect(leader.status.progress.find(({ peer }) => peer === id(3))?.state).toBe('snapshot');
    for (const message of ofType(network.sent, 'AppendEntries')) {
      expect(message.prevEntry.index).toBeGreaterThanOrEqual(leader.status.firstIndex - 1);
    }
  });

  test('L10 each message of a replication lost once: it resumes within two heartbeats', () => {
    // How many messages a write, its commit and the quiet after it take.
    const run = (lose: number): Network => {
      const network = cluster(3);
      const leader = network.elect(1);
      network.tick(1);
      let count = 0;
      network.drop = () => count++ === lose;
      network.propose(leader, 'a');
      network.propose(leader, 'b');
      network.tick(2);
      return network;
    };
    const total = 24;
    for (let lose = 0; lose < total; lose++) {
      const network = run(lose);
      for (const peer of network.peers.values())
        expect([lose, ...texts(peer.applied)]).toEqual([lose, 'a', 'b']);
      for (const { matchIndex, state } of network.peer(1).status.progress) {
        expect([lose, state, matchIndex]).toEqual([
          lose,
          'replicate',
          network.peer(1).status.lastEntry.index,
        ]);
      }
    }
  });

  test('L10 each message of probing lost once: it resumes within two heartbeats', () => {
    for (let lose = 0; lose < 24; lose++) {
      const network = new Network();
      network.add(1, disk(logOf(three, [1, 3, 3, 3])));
      network.add(2, disk(logOf(three, [1, 3, 3, 3])));
      network.add(3, disk(logOf(three, [1, 2, 2]), { currentTerm: 3 }));
      network.isolate(3);
      const leader = network.elect(1);
      let count = 0;
      network.drop = () => count++ === lose;
      network.tick(4);
      expect([lose, logTerms(network.peer(3))]).toEqual([lose, logTerms(leader)]);
    }
  });

  test('a probe that is repeated leaves the entries out, and is answered all the same', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    network.peer(3).autoSync = false;
    leader.raft.reportUnreachable(id(3));
    network.propose(leader, 'a');
    network.propose(leader, 'b');
    network.sent = [];
    network.tick(3);
    // The empty one opens the pipeline; from there each is sent once, however slow the disk.
    const repeated = ofType(network.sent, 'AppendEntries').filter(({ to }) => to === id(3));
    expect(repeated.flatMap(({ entries }) => texts(entries))).toEqual(['a', 'b']);
    network.peer(3).sync();
    network.tick(1);
    expect(texts(network.peer(3).applied)).toEqual(['a', 'b']);
  });

  test('L12 10,000 divergent entries over two terms are repaired in a few round trips', () => {
    const common = [1];
    const mine = [
      ...Array.from({ length: 5000 }, () => 2),
      ...Array.from({ length: 5000 }, () => 5),
    ];
    const theirs = [
      ...Array.from({ length: 5000 }, () => 3),
      ...Array.from({ length: 5000 }, () => 4),
    ];
    const network = new Network();
    network.add(1, disk(logOf(three, [...common, ...mine])));
    network.add(2, disk(logOf(three, [...common, ...mine])));
    network.add(3, disk(logOf(three, [...common, ...theirs]), { currentTerm: 5 }));
    network.elect(1);
    const toThird = ofType(network.sent, 'AppendEntriesResponse').filter(
      ({ from, rejected }) => from === id(3) && rejected !== null,
    );
    expect(toThird.length).toBeLessThanOrEqual(4 + 2);
    expect(logTerms(network.peer(3))).toEqual(logTerms(network.peer(1)));
  });

  test('a rejection that comes late or twice moves nothing', () => {
    const network = new Network();
    network.add(1, disk(logOf(three, [1, 1, 1, 1, 1])));
    network.add(2, disk(logOf(three, [1, 1, 1, 1, 1])));
    network.add(3, disk(logOf(three, [1])));
    network.drop = ({ from }) => from === id(3);
    const leader = network.peer(1);
    leader.raft.campaign();
    network.settle();
    const third = (): unknown => {
      const found = leader.status.progress.find(({ peer }) => peer === id(3));
      return [found?.state, found?.nextIndex];
    };
    const rejection = (index: number, hint: number): Message => ({
      type: 'AppendEntriesResponse',
      from: id(3),
      to: id(1),
      term: leader.status.term,
      matchIndex: 0,
      rejected: { index, hint: { term: 1, index: hint } },
    });
    expect(third()).toEqual(['probe', 7]);
    // Asked about 6; answers about anything else are somebody's old ones.
    leader.raft.step(rejection(4, 2));
    expect(third()).toEqual(['probe', 7]);
    leader.raft.step(rejection(7, 7));
    expect(third()).toEqual(['probe', 7]);
    leader.raft.step(rejection(6, 2));
    expect(third()).toEqual(['probe', 3]);
    leader.raft.step(rejection(6, 1));
    expect(third()).toEqual(['probe', 3]);
    network.heal();
    network.tick(2);
    expect(third()).toEqual(['replicate', 8]);
    leader.raft.step(rejection(6, 2));
    expect(third()).toEqual(['replicate', 8]);
  });

  test('L12 an empty follower costs one rejection', () => {
    const network = new Network();
    network.add(
      1,
      disk(
        logOf(
          three,
          Array.from({ length: 1000 }, (_, i) => 1 + Math.floor(i / 10)),
        ),
      ),
    );
    network.add(
      2,
      disk(
        logOf(
          three,
          Array.from({ length: 1000 }, (_, i) => 1 + Math.floor(i / 10)),
        ),
      ),
    );
    network.add(3);
    network.elect(1);
    expect(rejections(network.sent)).toHaveLength(1);
    expect(network.peer(3).status.lastEntry).toEqual(network.peer(1).status.lastEntry);
  });

  test('L13 a full window: appends stop, the commit index still travels', () => {
    const network = cluster(3, { inflightCountMax: 2 });
    const leader = network.elect(1);
    network.tick(1);
    const slow = network.peer(3);
    network.drop = ({ from }) => from === id(3);
    for (const each of ['a', 'b', 'c', 'd', 'e']) network.propose(leader, each);
    const progress = leader.status.progress.find(({ peer }) => peer === id(3));
    expect(progress?.inflight.count).toBe(2);
    expect(slow.status.lastEntry.index).toBe(leader.status.lastEntry.index - 3);
    expect(slow.status.commitIndex).toBe(slow.status.lastEntry.index);
    network.heal();
    network.tick(2);
    expect(texts(slow.applied)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('the window is bounded in bytes, and one larger entry still travels', () => {
    const network = cluster(3, { appendBytesMax: 100, inflightBytesMax: 250 });
    const leader = network.elect(1);
    network.tick(1);
    network.sent = [];
    network.drop = ({ from }) => from === id(3);
    const result = leader.raft.propose([
      ...Array.from({ length: 8 }, () => new Uint8Array(60)),
      new Uint8Array(5000),
    ]);
    expect(result.ok).toBe(true);
    network.settle();
    const sizes = ofType(network.sent, 'AppendEntries')
      .filter(({ to, entries }) => to === id(3) && entries.length > 0)
      .map(({ entries }) => entries.map(({ data }) => data.length));
    // 60 + 60 would pass 100 bytes; five messages of 60 reach 250.
    expect(sizes).toEqual([[60], [60], [60], [60], [60]]);
    expect(network.peer(2).status.lastEntry).toEqual(leader.status.lastEntry);
    network.heal();
    network.tick(2);
    expect(network.peer(3).status.lastEntry).toEqual(leader.status.lastEntry);
  });

  test('all proposals between two Readys travel in one message per follower and one batch', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    for (const each of ['a', 'b', 'c']) leader.raft.propose([bytes(each)]);
    const ready = leader.raft.ready();
    expect(ready?.persist?.entries).toHaveLength(3);
    expect(
      ofType(ready?.messages ?? [], 'AppendEntries').map(({ to, entries }) => [to, entries.length]),
    ).toEqual([
      [id(2), 3],
      [id(3), 3],
    ]);
  });

  test('propose() refuses beyond uncommittedBytesMax, all or none, and recovers', () => {
    const network = cluster(3, { uncommittedBytesMax: 100 });
    const leader = network.elect(1);
    network.isolate(1);
    expect(leader.raft.propose([new Uint8Array(500)]).ok).toBe(true);
    expect(leader.status.uncommittedBytes).toBe(500);
    const before = leader.status.lastEntry;
    expect(leader.raft.propose([new Uint8Array(1), new Uint8Array(0)])).toMatchObject({
      ok: false,
      reason: 'overloaded',
      leader: id(1),
    });
    expect(leader.status.lastEntry).toEqual(before);
    network.heal();
    network.tick(3);
    expect(leader.status.uncommittedBytes).toBe(0);
    expect(leader.raft.propose([new Uint8Array(1)]).ok).toBe(true);
  });

  test('propose() refuses beyond so many entries without data, all or none, and recovers', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(1);
    const many = Array.from({ length: 262_143 }, () => noBytes);
    expect(leader.raft.propose(many).ok).toBe(true);
    expect(leader.raft.propose([noBytes, noBytes])).toMatchObject({ reason: 'overloaded' });
    expect(leader.raft.propose([noBytes]).ok).toBe(true);
    expect(leader.raft.propose([noBytes])).toMatchObject({ reason: 'overloaded' });
    network.heal();
    network.tick(2);
    expect(leader.raft.propose([noBytes]).ok).toBe(true);
  });

  test('propose() elsewhere names the leader', () => {
    const network = cluster(3);
    network.elect(1);
    expect(network.peer(2).raft.propose([noBytes])).toEqual({
      ok: false,
      reason: 'not-leader',
      leader: id(1),
    });
    expect(() => network.peer(1).raft.propose([])).toThrow(RangeError);
  });

  test('truncated names what this run proposed and lost, and nothing else', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const kept = network.propose(leader, 'kept');
    network.isolate(1);
    const lost = network.propose(leader, 'lost', 'lost too');
    network.elect(2);
    network.heal();
    network.tick(30);
    const { term } = leader.disk.entries.find(({ index }) => index === kept) ?? { term: 0 };
    expect(leader.truncated).toEqual([`${term}/${lost}`, `${term}/${lost + 1}`]);
    expect(network.peer(2).truncated).toEqual([]);
    expect(texts(leader.applied)).toEqual(['kept']);
  });

  test('T8 an acknowledgement beyond the leader’s log counts nowhere', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const { term } = leader.status;
    const ack = {
      type: 'AppendEntriesResponse',
      from: id(2),
      to: id(1),
      term,
      rejected: null,
    } as const;
    leader.raft.step({ ...ack, matchIndex: 99 });
    drain(leader);
    expect(leader.refused).toEqual([expect.stringMatching(/^contradiction: .*99/)]);
    expect(leader.status).toMatchObject({ role: 'leader', commitIndex: 2 });
    expect(leader.status.progress[0]).toMatchObject({ peer: id(2), matchIndex: 2 });
  });

  test('Z1 resetProgress() forgets what an earlier run of the peer acknowledged', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a');
    network.isolate(3);
    leader.raft.resetProgress(id(3));
    expect(leader.status.progress.find(({ peer }) => peer === id(3))).toMatchObject({
      state: 'probe',
      matchIndex: 0,
      recentActive: false,
    });
    network.heal();
    network.tick(2);
    expect(leader.status.progress.find(({ peer }) => peer === id(3))?.matchIndex).toBe(
      leader.status.lastEntry.index,
    );
  });

  test('reportUnreachable() goes back to probing, and replication resumes', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    network.isolate(3);
    network.propose(leader, 'a');
    leader.raft.reportUnreachable(id(3));
    expect(leader.status.progress.find(({ peer }) => peer === id(3))).toMatchObject({
      state: 'probe',
      inflight: { count: 0, bytes: 0 },
    });
    network.heal();
    network.tick(2);
    expect(texts(network.peer(3).applied)).toEqual(['a']);
  });

  test('L15 one follower that never answers changes nothing for the rest', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    for (let i = 0; i < 50; i++) {
      const index = network.propose(leader, `${i}`);
      expect(leader.status.commitIndex).toBe(index);
    }
  });

  test('L11 10,000 random answers and leader changes: the counters return to zero', () => {
    const prng = new Prng(11);
    const network = cluster(3, { inflightCountMax: 4, uncommittedBytesMax: 1000 });
    for (let i = 0; i < 10_000; i++) {
      const peers = [...network.peers.values()];
      const peer = peers[prng.between(0, 3)] as Peer;
      switch (prng.between(0, 6)) {
        case 0:
          peer.raft.propose([new Uint8Array(prng.between(0, 50))]);
          break;
        case 1:
          peer.raft.tick();
          break;
        case 2:
          network.collect();
          network.queue = shuffled(network.queue, prng).filter(() => prng.between(0, 5) > 0);
          break;
        case 3:
          peer.raft.reportUnreachable((peers[prng.between(0, 3)] as Peer).nodeId);
          break;
        case 4:
          if (prng.between(0, 50) === 0) peer.raft.campaign();
          break;
        default:
          for (const message of network.queue.splice(0, prng.between(0, 10)))
            network.deliver(message);
      }
    }
    network.settle();
    network.tickUntilLeader();
    network.tick(30);
    for (const peer of network.peers.values()) {
      expect(peer.fatal).toBeNull();
      expect(peer.status.uncommittedBytes).toBe(0);
      for (const { inflight } of peer.status.progress)
        expect(inflight).toEqual({ count: 0, bytes: 0 });
    }
    expect(network.peer(1).status.commitIndex).toBeGreaterThan(100);
    expect(network.peer(1).status.commitIndex).toBe(network.peer(2).status.commitIndex);
  });

  test('a large backlog is handed out in portions of applyBytesMax', () => {
    const entries = [
      membershipEntry(1, 1, voters(1)),
      ...Array.from({ length: 10 }, (_, i) => entry(1, i + 2, 'x'.repeat(100))),
    ];
    const peer = solo(disk(entries, { commitIndex: 11 }), { applyBytesMax: 250 });
    const portions: number[] = [];
    for (let ready = peer.raft.ready(); ready !== null; ready = peer.raft.ready()) {
      if (ready.committed.length > 0) portions.push(ready.committed.length);
      peer.carryOut({ ...ready });
    }
    // The small membership entry shares the first portion, the new leader's no-op the last.
    expect(portions).toEqual([3, 2, 2, 2, 3]);
  });
});
