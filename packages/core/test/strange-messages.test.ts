/** Messages that are old, early, for somebody else, or from nobody who can have sent them. */
import { describe, expect, test } from 'vitest';
import type { Message } from '../src/index.ts';
import { cluster, disk, drain, entry, id, logOf, ofType, solo, voters } from './network.ts';
import type { Peer } from './network.ts';

const three = voters(1, 2, 3);
const heartbeat = { type: 'Heartbeat', leaderCommit: 0, readRound: 0 } as const;

function member(): Peer {
  return solo(disk(logOf(three, [5])));
}

describe('a member', () => {
  test('does not listen to what is for another, or to itself', () => {
    const peer = member();
    const before = peer.status;
    for (const [from, to] of [
      [2, 3],
      [1, 1],
      [1, 3],
    ] as const) {
      peer.raft.step({ ...heartbeat, from: id(from), to: id(to), term: 9 });
      expect(peer.status).toEqual(before);
      expect(drain(peer)).toEqual([]);
    }
  });

  test('R5 refuses a read that it cannot answer: of an earlier term, or without leading', () => {
    for (const term of [4, 5]) {
      const peer = member();
      peer.raft.step({ type: 'ReadIndex', from: id(3), to: id(1), term, requestId: 8 });
      const refusal = { type: 'ReadIndexResponse', to: id(3), term: 5, requestId: 8, index: null };
      expect(drain(peer)).toMatchObject([refusal]);
    }
  });

  test('says nothing to answers of an earlier term', () => {
    const peer = member();
    const head = { from: id(2), to: id(1), term: 4 };
    const old: Message[] = [
      { type: 'PreVoteResponse', ...head, granted: false, votedFor: null },
      { type: 'RequestVoteResponse', ...head, granted: true },
      { type: 'HeartbeatResponse', ...head, readRound: 1 },
      { type: 'AppendEntriesResponse', ...head, matchIndex: 1, rejected: null },
      { type: 'ReadIndexResponse', ...head, requestId: 1, index: 3 },
      { type: 'TimeoutNow', ...head },
    ];
    for (const each of old) peer.raft.step(each);
    expect(drain(peer)).toEqual([]);
    expect(peer.status).toMatchObject({ role: 'follower', term: 5, leader: null });
  });

  test('Z47 counts what the leader answers about a read, and nothing else that it answers', () => {
    const peer = member();
    // A leader that is no member, as far as is known here.
    const head = { from: id(9), to: id(1), term: 5 } as const;
    peer.raft.step({ ...heartbeat, ...head });
    peer.raft.readIndex(7);
    const [asked] = ofType(drain(peer), 'ReadIndex');
    const requestId = asked?.requestId ?? 0;
    peer.raft.step({ type: 'ReadIndexResponse', ...head, requestId, index: 3 });
    drain(peer);
    expect(peer.reads).toEqual([{ requestId: 7, index: 3 }]);
    expect(peer.refused).toEqual([]);
    // And one that is: a follower asked it for no beat.
    const other = member();
    other.raft.step({ ...heartbeat, ...head, from: id(2) });
    other.raft.step({ type: 'HeartbeatResponse', from: id(2), to: id(1), term: 9, readRound: 0 });
    drain(other);
    expect(other.status).toMatchObject({ term: 5, leader: id(2) });
  });

  test('T8 tells of 256 refusals at a time, however many there are', () => {
    const peer = member();
    const head = { from: id(9), to: id(1), term: 5 } as const;
    for (let i = 0; i < 300; i++) {
      peer.raft.step({ type: 'RequestVoteResponse', ...head, granted: true });
    }
    expect(peer.raft.ready()?.refused).toHaveLength(256);
    expect(peer.raft.ready()).toBeNull();
    peer.raft.step({ type: 'RequestVoteResponse', ...head, granted: true });
    expect(peer.raft.ready()?.refused).toHaveLength(1);
  });

  test('S2 T8 a snapshot of a later term than its sender’s is refused', () => {
    const peer = member();
    const meta = { term: 7, index: 9, membership: three, membershipIndex: 1 };
    peer.raft.step({ type: 'InstallSnapshot', from: id(2), to: id(1), term: 6, meta });
    drain(peer);
    expect(peer.refused).toEqual([
      expect.stringMatching(/^contradiction: .*snapshot of term 7 in term 6/),
    ]);
    expect(peer.status).toMatchObject({ installing: false, leader: id(2) });
  });

  test('S1 a heartbeat during an install commits nothing of the log that goes', () => {
    const peer = member();
    peer.autoInstall = false;
    const meta = { term: 6, index: 9, membership: three, membershipIndex: 1 };
    peer.raft.step({ type: 'InstallSnapshot', from: id(2), to: id(1), term: 6, meta });
    drain(peer);
    peer.raft.step({ ...heartbeat, from: id(2), to: id(1), term: 6, leaderCommit: 2 });
    expect(ofType(drain(peer), 'HeartbeatResponse')).toHaveLength(1);
    expect(peer.status).toMatchObject({ commitIndex: 0, installing: true });
    peer.install();
    expect(peer.status).toMatchObject({ commitIndex: 9, installing: false });
  });

  test('L4 an append that ends before the log begins is answered with what is compacted', () => {
    const peer = solo(disk(logOf(three, [1, 1, 1]), { commitIndex: 4 }));
    drain(peer);
    peer.compact();
    expect(peer.status.firstIndex).toBe(5);
    const head = { type: 'AppendEntries', from: id(2), to: id(1), term: 1 } as const;
    peer.raft.step({
      ...head,
      prevEntry: { term: 1, index: 1 },
      leaderCommit: 0,
      entries: [entry(1, 2)],
    });
    expect(drain(peer)).toMatchObject([{ matchIndex: 4, rejected: null }]);
    // And one that reaches into it goes on from there.
    peer.raft.step({
      ...head,
      prevEntry: { term: 1, index: 2 },
      leaderCommit: 0,
      entries: [entry(1, 3), entry(1, 4), entry(1, 5)],
    });
    expect(drain(peer)).toMatchObject([{ matchIndex: 5, rejected: null }]);
    expect(peer.status).toMatchObject({ firstIndex: 5, lastEntry: { term: 1, index: 5 } });
  });
});

describe('a leader', () => {
  test('R2 T8 refuses the confirmation of a round that never began', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const { term } = leader.status;
    leader.raft.step({ type: 'HeartbeatResponse', from: id(2), to: id(1), term, readRound: 9 });
    leader.raft.readIndex(1);
    drain(leader);
    expect(leader.refused).toEqual([expect.stringMatching(/^contradiction: .*read round 9/)]);
    expect(leader.reads).toEqual([]);
  });

  test('hears nothing of a stranger', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const before = leader.status;
    const head = { from: id(9), to: id(1), term: before.term };
    leader.raft.step({ type: 'HeartbeatResponse', ...head, readRound: 9 });
    leader.raft.step({ type: 'AppendEntriesResponse', ...head, matchIndex: 99, rejected: null });
    expect(leader.status).toEqual(before);
    expect(drain(leader)).toEqual([]);
    expect(leader.refused).toHaveLength(2);
    expect(leader.refused[0]).toMatch(/^unasked: /);
  });
});
