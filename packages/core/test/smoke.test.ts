import { expect, test } from 'vitest';
import { cluster, id, texts } from './network.ts';

test('three voters elect one leader and commit what it proposes', () => {
  const network = cluster(3);
  const leader = network.tickUntilLeader();
  network.propose(leader, 'a', 'b');
  network.propose(leader, 'c');
  network.tick();
  for (const peer of network.peers.values()) {
    expect(texts(peer.applied)).toEqual(['a', 'b', 'c']);
    expect(peer.status.leader).toBe(leader.nodeId);
  }
});

test('a cluster grows from one voter to three', () => {
  const network = cluster(1);
  network.settle();
  const leader = network.peer(1);
  expect(leader.status.role).toBe('leader');
  network.propose(leader, 'a');
  network.add(2);
  network.add(3);
  const learn = leader.raft.proposeChange({
    membership: { voters: [id(1)], learners: [id(2), id(3)] },
    expectedIndex: leader.status.membershipIndex,
    context: new Uint8Array(0),
  });
  expect(learn.ok).toBe(true);
  network.tick(3);
  expect(texts(network.peer(3).applied)).toEqual(['a']);
  const promote = leader.raft.proposeChange({
    membership: { voters: [id(1), id(2), id(3)], learners: [] },
    expectedIndex: leader.status.membershipIndex,
    context: new Uint8Array(0),
  });
  expect(promote.ok).toBe(true);
  network.tick(3);
  for (const peer of network.peers.values()) {
    expect(peer.status.membership.voters).toEqual([id(1), id(2), id(3)]);
    expect(peer.status.membership.votersOutgoing).toEqual([]);
    expect(peer.status.pendingChange).toBe(false);
  }
});
