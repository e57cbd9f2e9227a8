import { describe, expect, test } from 'vitest';
import { decodeMembershipEntry } from '../src/index.ts';
import type { AppendEntries, ChangeResult, Membership } from '../src/index.ts';
import {
  bytes,
  cluster,
  disk,
  drain,
  entry,
  id,
  logOf,
  membershipEntry,
  Network,
  noBytes,
  ofType,
  solo,
  texts,
  voters,
} from './network.ts';
import type { Peer } from './network.ts';

function change(peer: Peer, voterNumbers: number[], learnerNumbers: number[] = []): ChangeResult {
  return peer.raft.proposeChange({
    membership: { voters: voterNumbers.map(id), learners: learnerNumbers.map(id) },
    expectedIndex: peer.status.membershipIndex,
    context: noBytes,
  });
}

function reason(result: ChangeResult): string {
  return result.ok ? 'ok' : result.reason;
}

function append(peer: Peer, over: Partial<AppendEntries>): void {
  peer.raft.step({
    type: 'AppendEntries',
    from: id(2),
    to: peer.nodeId,
    term: 2,
    prevEntry: { term: 1, index: 1 },
    leaderCommit: 0,
    entries: [],
    ...over,
  });
}

const joint: Membership = {
  voters: [1, 4, 5].map(id),
  votersOutgoing: [1, 2, 3].map(id),
  learners: [],
  learnersNext: [id(2)],
};

describe('proposeChange()', () => {
  test('M1 is refused until the leader has committed in its term', () => {
    const network = cluster(3);
    network.drop = ({ type }) => type === 'AppendEntriesResponse';
    const leader = network.elect(1);
    expect(reason(change(leader, [1, 2]))).toBe('not-committed-in-term');
    network.heal();
    network.tick(2);
    expect(reason(change(leader, [1, 2]))).toBe('ok');
  });

  test('M2 is refused while another change is pending, joint or not committed', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(1);
    expect(reason(change(leader, [1, 2, 3], [4]))).toBe('ok');
    expect(leader.status.pendingChange).toBe(true);
    expect(reason(change(leader, [1, 2, 3], [5]))).toBe('pending');
    network.heal();
    network.tick(2);
    expect(leader.status.pendingChange).toBe(false);
    expect(reason(change(leader, [1, 2]))).toBe('ok');
    expect(reason(change(leader, [1]))).toBe('pending');
    network.settle();
    expect(reason(change(leader, [1]))).toBe('ok');
  });

  test('is refused when the membership moved since the caller looked', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const membership = { voters: [id(1), id(2)], learners: [] };
    const expectedIndex = leader.status.membershipIndex + 1;
    expect(reason(leader.raft.proposeChange({ membership, expectedIndex, context: noBytes }))).toBe(
      'stale',
    );
  });

  test('is refused elsewhere, during a transfer, and for what is no membership', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    expect(change(network.peer(2), [1])).toEqual({
      ok: false,
      reason: 'not-leader',
      leader: id(1),
    });
    expect(reason(change(leader, []))).toBe('invalid');
    expect(reason(change(leader, [1, 2, 3]))).toBe('invalid');
    expect(reason(change(leader, [1, 2], [2]))).toBe('invalid');
    const odd = { membership: { voters: ['me'], learners: [] }, context: noBytes };
    expect(reason(leader.raft.proposeChange({ ...odd, expectedIndex: 1 }))).toBe('invalid');
    network.isolate(3);
    network.propose(leader, 'a');
    leader.raft.transferLeadership(id(3));
    expect(reason(change(leader, [1, 2]))).toBe('transferring');
  });

  test('a change of learners alone is one entry; a change of voters two', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const before = leader.status.lastEntry.index;
    expect(change(leader, [1, 2, 3], [4])).toMatchObject({ ok: true, index: before + 1 });
    network.settle();
    expect(leader.status.lastEntry.index).toBe(before + 1);
    change(leader, [1, 2, 4], []);
    expect(leader.status.membership).toEqual({
      voters: [1, 2, 4].map(id),
      votersOutgoing: [1, 2, 3].map(id),
      learners: [],
      learnersNext: [],
    });
    network.add(4);
    network.tick(3);
    expect(leader.status.lastEntry.index).toBe(before + 3);
    expect(leader.status.membership).toEqual(voters(1, 2, 4));
  });

  test('the context travels in the entry', () => {
    const network = cluster(1);
    network.settle();
    const leader = network.peer(1);
    const result = leader.raft.proposeChange({
      membership: { voters: [id(1)], learners: [id(2)] },
      expectedIndex: 1,
      context: bytes('why'),
    });
    network.settle();
    const index = result.ok ? result.index : 0;
    const data = leader.applied.find((each) => each.index === index)?.data ?? noBytes;
    expect(decodeMembershipEntry(data).context).toEqual(bytes('why'));
  });
});

describe('joint consensus', () => {
  test.each([
    ['incoming', [4, 5]],
    ['outgoing', [2, 3]],
  ])('a joint membership commits nothing without a majority of the %s voters', (_, cut) => {
    const network = cluster(3);
    for (const number of [4, 5]) network.add(number);
    const leader = network.elect(1);
    change(leader, [1, 2, 3], [4, 5]);
    network.tick(2);
    network.isolate(...cut);
    change(leader, [1, 4, 5]);
    network.propose(leader, 'a');
    network.tick(5);
    expect(texts(leader.applied)).toEqual([]);
    expect(leader.status.role).toBe('leader');
    network.heal();
    network.tick(3);
    expect(texts(leader.applied)).toEqual(['a']);
    expect(leader.status.membership).toEqual(voters(1, 4, 5));
  });

  test('an election in a joint membership needs both majorities', () => {
    const log = [membershipEntry(1, 1, voters(1, 2, 3)), membershipEntry(1, 2, joint)];
    const peer = solo(disk(log));
    peer.raft.campaign();
    drain(peer);
    const granted = { to: id(1), term: 2, granted: true, votedFor: null } as const;
    const preVote = { type: 'PreVoteResponse', ...granted } as const;
    for (const from of [2, 3]) peer.raft.step({ ...preVote, from: id(from) });
    expect(peer.status.role).toBe('preCandidate');
    peer.raft.step({ ...preVote, from: id(5) });
    expect(peer.status.role).toBe('candidate');
  });

  test('a new leader ends the joint membership that its predecessor began', () => {
    const network = cluster(3);
    for (const number of [4, 5]) network.add(number);
    const old = network.elect(1);
    change(old, [1, 2, 3], [4, 5]);
    network.tick(2);
    change(old, [2, 3, 4, 5]);
    // Everybody gets the joint membership, and nobody's answer arrives.
    network.drop = ({ to, type }) => to === id(1) && type === 'AppendEntriesResponse';
    network.settle();
    expect(old.status.pendingChange).toBe(true);
    old.up = false;
    const leader = network.elect(2);
    network.tick(2);
    expect(leader.status.membership).toEqual(voters(2, 3, 4, 5));
    expect(leader.status.pendingChange).toBe(false);
  });

  test('M3 a change that was appended and then truncated: the earlier membership is in force', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3), [])));
    append(peer, { entries: [membershipEntry(2, 2, joint)] });
    expect(peer.status.membership).toEqual(joint);
    append(peer, { from: id(3), term: 3, entries: [entry(3, 2)] });
    expect(peer.status.membership).toEqual(voters(1, 2, 3));
    expect(peer.status.membershipIndex).toBe(1);
  });

  test('M3 a leader’s change that it could not commit is undone by its successor', () => {
    const network = cluster(3);
    const old = network.elect(1);
    network.isolate(1);
    change(old, [1]);
    network.settle();
    expect(old.status.membership.votersOutgoing).toHaveLength(3);
    network.elect(2);
    network.heal();
    network.tick(30);
    expect(old.status.membership).toEqual(voters(1, 2, 3));
  });

  test('M6 a voter that becomes a learner does so at the end: nobody is both', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    change(leader, [1, 2], [3]);
    expect(leader.status.membership).toEqual({
      voters: [id(1), id(2)],
      votersOutgoing: [1, 2, 3].map(id),
      learners: [],
      learnersNext: [id(3)],
    });
    network.tick(2);
    for (const peer of network.peers.values()) {
      expect(peer.status.membership).toEqual({ ...voters(1, 2), learners: [id(3)] });
    }
    network.propose(leader, 'a');
    network.tick(1);
    expect(texts(network.peer(3).applied)).toEqual(['a']);
  });

  test('M6 a leader that makes itself a learner steps down and follows', () => {
    const network = cluster(3);
    const old = network.elect(1);
    change(old, [2, 3], [1]);
    network.tick(30);
    expect(old.status).toMatchObject({ role: 'follower' });
    expect(network.leader?.nodeId).not.toBe(id(1));
    network.propose(network.leader as Peer, 'a');
    network.tick(1);
    expect(texts(old.applied)).toEqual(['a']);
  });

  test('M5 a leader that removes itself commits under the new quorum, then steps down', () => {
    const network = cluster(3);
    const old = network.elect(1);
    const { term } = old.status;
    change(old, [2, 3]);
    network.drop = ({ from }) => from === id(3);
    network.settle();
    // Joint: {2, 3} has only 2. It leads on without committing.
    expect(old.status.role).toBe('leader');
    network.propose(old, 'last');
    network.heal();
    network.tick(2);
    expect(old.status.role).toBe('follower');
    expect(old.status.pendingChange).toBe(false);
    expect(old.status.membership).toEqual(voters(2, 3));
    const leader = network.tickUntilLeader();
    expect(leader.status.term).toBe(term + 1);
    network.propose(leader, 'a');
    expect(texts(leader.applied)).toEqual(['last', 'a']);
  });

  test('M5 a removed node disturbs nobody, and hears of its removal', () => {
    const network = cluster(4);
    const leader = network.elect(1);
    change(leader, [1, 2, 3]);
    network.tick(3);
    const removed = network.peer(4);
    expect(removed.status.membership).toEqual(voters(1, 2, 3));
    expect(removed.status.pendingChange).toBe(false);
    const { term } = leader.status;
    // It departs, also as a new run, and is no peer any more.
    leader.raft.resetProgress(id(4));
    expect(leader.status.progress.map(({ peer }) => peer)).toEqual([id(2), id(3)]);
    network.tick(200);
    expect(leader.status).toMatchObject({ role: 'leader', term });
    // Nothing is sent to it any more.
    network.sent = [];
    network.tick(20);
    expect(network.sent.filter(({ to }) => to === id(4))).toEqual([]);
    expect(leader.status.progress.map(({ peer }) => peer)).toEqual([id(2), id(3)]);
  });

  test('M5 a removed node that never heard of it disturbs nobody', () => {
    const network = cluster(4);
    const leader = network.elect(1);
    network.isolate(4);
    change(leader, [1, 2, 3]);
    network.tick(100);
    network.heal();
    const { term } = leader.status;
    network.tick(200);
    expect(leader.status).toMatchObject({ role: 'leader', term });
    expect(ofType(network.sent, 'PreVote').some(({ from }) => from === id(4))).toBe(true);
  });

  test('M7 a fourth member that never starts: the cluster keeps committing', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    expect(reason(change(leader, [1, 2, 3], [4]))).toBe('ok');
    network.propose(leader, 'a');
    network.tick(20);
    expect(texts(leader.applied)).toEqual(['a']);
    expect(reason(change(leader, [1, 2, 3]))).toBe('ok');
    network.propose(leader, 'b');
    expect(texts(leader.applied)).toEqual(['a', 'b']);
  });

  test('M4 the membership survives two compactions and a restart', () => {
    const network = cluster(3);
    network.add(4);
    const leader = network.elect(1);
    change(leader, [1, 2, 3], [4]);
    network.tick(2);
    const learned = leader.status.membershipIndex;
    network.propose(leader, 'a');
    leader.compact();
    network.propose(leader, 'b');
    leader.compact();
    const expected = { ...voters(1, 2, 3), learners: [id(4)] };
    expect(leader.status.snapshot).toMatchObject({
      membership: expected,
      membershipIndex: learned,
    });
    leader.restart();
    expect(leader.status).toMatchObject({ membership: expected, membershipIndex: learned });
  });

  test('M4 a snapshot never carries an uncommitted membership', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a');
    network.isolate(1);
    change(leader, [1, 2]);
    network.settle();
    expect(leader.status.membership.votersOutgoing).toHaveLength(3);
    leader.compact();
    expect(leader.status.snapshot?.membership).toEqual(voters(1, 2, 3));
    // Still in force, and undone after the restart if it has to be.
    expect(leader.status.membership.votersOutgoing).toHaveLength(3);
    leader.restart();
    expect(leader.status.membership.votersOutgoing).toHaveLength(3);
    network.elect(2);
    network.heal();
    network.tick(30);
    expect(leader.status.membership).toEqual(voters(1, 2, 3));
  });

  test('a fresh replica takes entries from whoever leads, and learns the members from them', () => {
    const network = new Network();
    const log = logOf({ ...voters(1), learners: [id(2)] }, [1, 1]);
    network.add(1, disk(log, { commitIndex: 3 }));
    const fresh = network.add(2);
    network.tick(2);
    expect(fresh.status).toMatchObject({ role: 'follower', leader: id(1), commitIndex: 4 });
    expect(fresh.status.membership.learners).toEqual([id(2)]);
  });

  test('one to three to five to three to one, under writes', () => {
    const network = cluster(1);
    network.settle();
    const leader = network.peer(1);
    for (const number of [2, 3, 4, 5]) network.add(number);
    let written = 0;
    const step = (voterNumbers: number[], learnerNumbers: number[]): void => {
      network.propose(leader, `${written++}`);
      expect(reason(change(leader, voterNumbers, learnerNumbers))).toBe('ok');
      network.propose(leader, `${written++}`);
      network.tick(3);
      expect(leader.status.pendingChange).toBe(false);
    };
    step([1], [2, 3]);
    step([1, 2, 3], []);
    step([1, 2, 3], [4, 5]);
    step([1, 2, 3, 4, 5], []);
    step([1, 2, 3], [4, 5]);
    step([1], []);
    expect(texts(leader.applied)).toEqual(Array.from({ length: written }, (_, i) => `${i}`));
    expect(leader.status.membership).toEqual(voters(1));
  });
});
