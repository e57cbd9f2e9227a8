import { describe, expect, test } from 'vitest';
import { cluster, disk, id, logOf, Network, ofType, voters } from './network.ts';

describe('readIndex()', () => {
  test('at the leader: one round of heartbeats, then the commit index of the asking', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const index = network.propose(leader, 'a');
    network.sent = [];
    leader.raft.readIndex(7);
    leader.raft.readIndex(8);
    network.settle();
    expect(leader.reads).toEqual([
      { requestId: 7, index },
      { requestId: 8, index },
    ]);
    // Both share one round.
    expect(ofType(network.sent, 'Heartbeat')).toHaveLength(2);
    expect(leader.status.pendingReads).toBe(0);
  });

  test('R5 at a follower: the leader is asked, once per turn', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const index = network.propose(leader, 'a');
    const follower = network.peer(3);
    network.sent = [];
    follower.raft.readIndex(1);
    follower.raft.readIndex(2);
    network.settle();
    expect(ofType(network.sent, 'ReadIndex')).toHaveLength(1);
    expect(follower.reads).toEqual([
      { requestId: 1, index },
      { requestId: 2, index },
    ]);
    expect(follower.status.pendingReads).toBe(0);
  });

  test('R5 without a leader it is refused', () => {
    const network = cluster(3);
    const peer = network.peer(1);
    peer.raft.readIndex(1);
    network.settle();
    expect(peer.reads).toEqual([{ requestId: 1, index: null }]);
  });

  test('R5 a question that is not answered within an election timeout is refused', () => {
    const network = cluster(3);
    network.elect(1);
    const follower = network.peer(3);
    network.drop = ({ type }) => type === 'ReadIndex' || type === 'ReadIndexResponse';
    follower.raft.readIndex(1);
    network.settle();
    network.tick(19);
    expect(follower.reads).toEqual([]);
    network.tick(1);
    expect(follower.reads).toEqual([{ requestId: 1, index: null }]);
    expect(follower.status.pendingReads).toBe(0);
  });

  test('R1 at a leader that has not committed in its term it waits, then sees the newest write', () => {
    const three = voters(1, 2, 3);
    const network = new Network();
    for (const number of [1, 2, 3]) network.add(number, disk(logOf(three, [1, 1])));
    network.drop = ({ type }) => type === 'AppendEntriesResponse';
    const leader = network.elect(1);
    leader.raft.readIndex(1);
    network.peer(2).raft.readIndex(2);
    network.tick(5);
    expect(leader.status.commitIndex).toBe(0);
    expect(leader.reads).toEqual([]);
    expect(network.peer(2).reads).toEqual([]);
    network.heal();
    network.tick(2);
    expect(leader.reads).toEqual([{ requestId: 1, index: 4 }]);
    expect(network.peer(2).reads).toEqual([{ requestId: 2, index: 4 }]);
  });

  test('R2 the answer waits for a round that began after the question', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a');
    // Answers to the heartbeats of the first question are under way when the second is asked.
    leader.raft.readIndex(1);
    network.collect();
    const heartbeats = network.queue.splice(0);
    for (const message of heartbeats) network.deliver(message);
    network.collect();
    const answers = network.queue.splice(0);
    leader.raft.readIndex(2);
    network.collect();
    for (const message of answers) network.deliver(message);
    network.collect();
    expect(leader.reads.map(({ requestId }) => requestId)).toEqual([1]);
    network.settle();
    expect(leader.reads.map(({ requestId }) => requestId)).toEqual([1, 2]);
  });

  test('R6 a leader alone in its partition answers nothing, and refuses once it steps down', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(1);
    leader.raft.readIndex(1);
    network.tick(5);
    expect(leader.reads).toEqual([]);
    network.tick(10);
    expect(leader.status.role).toBe('follower');
    expect(leader.reads).toEqual([{ requestId: 1, index: null }]);
    leader.raft.readIndex(2);
    network.settle();
    expect(leader.reads[1]).toEqual({ requestId: 2, index: null });
  });

  test('R6 a deposed leader that has not noticed answers nothing', () => {
    const network = cluster(3);
    const old = network.elect(1);
    network.isolate(1);
    const leader = network.elect(2);
    network.propose(leader, 'new');
    expect(old.status.role).toBe('leader');
    old.raft.readIndex(1);
    network.settle();
    network.heal();
    network.tick(1);
    expect(old.reads).toEqual([{ requestId: 1, index: null }]);
  });

  test('a change of leaders refuses what was asked of the old one, on both sides', () => {
    const network = cluster(3);
    const old = network.elect(1);
    const follower = network.peer(3);
    network.drop = ({ type }) => type === 'HeartbeatResponse';
    follower.raft.readIndex(1);
    old.raft.readIndex(2);
    network.settle();
    network.heal();
    network.drop = ({ type }) => type === 'ReadIndexResponse';
    old.raft.transferLeadership(id(2));
    network.settle();
    expect(network.peer(2).status.role).toBe('leader');
    expect(follower.reads).toEqual([{ requestId: 1, index: null }]);
    expect(old.reads).toEqual([{ requestId: 2, index: null }]);
  });

  test('a single voter answers at once, from its own commits', () => {
    const network = cluster(1);
    network.settle();
    const peer = network.peer(1);
    const index = network.propose(peer, 'a');
    peer.raft.readIndex(1);
    network.settle();
    expect(peer.reads).toEqual([{ requestId: 1, index }]);
  });

  test('a single voter whose no-op is not durable yet waits', () => {
    const network = cluster(1);
    const peer = network.peer(1);
    peer.autoSync = false;
    network.settle();
    // Its own vote.
    peer.sync();
    network.settle();
    expect(peer.status.role).toBe('leader');
    peer.raft.readIndex(1);
    network.settle();
    expect(peer.reads).toEqual([]);
    peer.sync();
    network.settle();
    expect(peer.reads).toHaveLength(1);
    expect(peer.reads[0]?.index).toBe(peer.status.commitIndex);
  });

  test('a learner’s confirmation counts for nothing', () => {
    const network = new Network();
    const membership = { ...voters(1, 2, 3), learners: [id(4), id(5)] };
    for (const number of [1, 2, 3, 4, 5]) network.add(number, disk(logOf(membership, [1])));
    const leader = network.elect(1);
    network.isolate(2, 3);
    leader.raft.readIndex(1);
    network.tick(3);
    expect(leader.reads).toEqual([]);
    network.heal();
    network.tick(1);
    expect(leader.reads).toEqual([{ requestId: 1, index: leader.status.commitIndex }]);
  });

  test('a lost round is repeated by the next heartbeat', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.drop = ({ type }) => type === 'Heartbeat';
    leader.raft.readIndex(1);
    network.settle();
    network.heal();
    network.tick(1);
    expect(leader.reads).toHaveLength(1);
    expect(leader.reads[0]?.index).toBe(leader.status.commitIndex);
  });
});
