import { expect, test } from 'vitest';
import { describeReady, describeStatus } from '../src/index.ts';
import type { Ready } from '../src/index.ts';
import { Network, bytes, cluster, disk, id, membershipEntry, voters } from './network.ts';

test('describeReady() names everything there is to do, and no command bytes', () => {
  const network = new Network();
  const peer = network.add(1, disk([membershipEntry(1, 1, voters(1))]));
  const lines: string[] = [];
  const carryOut = (ready: Ready | null): void => {
    if (ready === null) return;
    lines.push(describeReady(ready));
    peer.carryOut(ready);
  };
  carryOut(peer.raft.ready());
  carryOut(peer.raft.ready());
  peer.raft.propose([bytes('secret')]);
  peer.raft.readIndex(7);
  for (let ready = peer.raft.ready(); ready !== null; ready = peer.raft.ready()) carryOut(ready);
  expect(lines.join('\n').split('\n')).toEqual([
    'soft candidate term 2 leader none',
    'persist 1 term 2 voted 1 commit 0',
    'soft leader term 2 leader 1',
    'persist 2 term 2 voted 1 commit 0 2/2:noop',
    'persist 3 term 2 voted 1 commit 2 2/3:6B',
    'apply 1/1:(1) 2/2:noop',
    'read 7 at 2',
    'apply 2/3:6B',
  ]);
});

test('describeStatus() says where a leader and its peers are', () => {
  const network = cluster(3);
  const leader = network.elect(1);
  network.tick(1);
  expect(describeStatus(leader.status).split('\n')).toEqual([
    '1 leader term 2 leader 1 voted 1 log 1..2/2 durable 2 commit 2 applied 2 members (1 2 3)@1',
    '  2 replicate match 2 next 3 inflight 0 heard 0 ticks ago',
    '  3 replicate match 2 next 3 inflight 0 heard 0 ticks ago',
  ]);
});

test('equal inputs give equal outputs, to the letter', () => {
  const transcript = (): string => {
    const network = cluster(3);
    const lines: string[] = [];
    for (let i = 0; i < 200; i++) {
      for (const peer of network.peers.values()) {
        if (i % 50 === 49) peer.raft.campaign();
        if (i % 5 === 0) peer.raft.propose([bytes(`${i}`)]);
        if (i % 7 === 0) peer.raft.readIndex(i);
        peer.raft.tick();
        for (let ready = peer.raft.ready(); ready !== null; ready = peer.raft.ready()) {
          lines.push(describeReady(ready));
          for (const message of peer.carryOut(ready)) network.deliver(message);
        }
      }
    }
    const { status } = network.peer(1);
    expect(status.commitIndex).toBeGreaterThan(20);
    return [...lines, describeStatus(status)].join('\n');
  };
  expect(transcript()).toBe(transcript());
});

test('a status is plain data', () => {
  const network = cluster(3);
  const { status } = network.elect(1);
  expect(structuredClone(status)).toEqual(status);
  expect(status.nodeId).toBe(id(1));
});
