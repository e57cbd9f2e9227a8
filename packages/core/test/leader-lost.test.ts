import { describe, expect, test } from 'vitest';
import { cluster, id } from './network.ts';

// The test network's shortest election timeout is 10 ticks.
const shortTicks = 10;

describe('leaderLost()', () => {
  test('F10 followers that lose the way to a dead leader elect another long before its timeout', () => {
    const network = cluster(5);
    const dead = network.elect(1);
    network.isolate(1);
    const { term } = dead.status;
    for (const number of [2, 3, 4, 5]) network.peer(number).raft.leaderLost(id(1));
    network.tick(shortTicks, 2, 3, 4, 5);
    const leaders = [2, 3, 4, 5].filter((number) => network.peer(number).status.role === 'leader');
    expect(leaders).toHaveLength(1);
    expect(network.peer(leaders[0] ?? 0).status.term).toBe(term + 1);
  });

  test('E7 one follower with a broken link disturbs nobody: the others hear their leader', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const { term } = leader.status;
    network.peer(3).raft.leaderLost(id(1));
    network.drop = ({ from, to }) => [from, to].includes(id(1)) && [from, to].includes(id(3));
    network.tick(8 * shortTicks);
    expect(leader.status).toMatchObject({ role: 'leader', term });
    expect(network.peer(2).status).toMatchObject({ leader: id(1), term });
    network.drop = () => false;
    network.tick(shortTicks);
    expect(network.peer(3).status).toMatchObject({ leader: id(1), term });
  });

  test('a heartbeat undoes the hint', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const { term } = leader.status;
    for (const number of [2, 3]) network.peer(number).raft.leaderLost(id(1));
    network.tick(2, 1);
    network.tick(8 * shortTicks);
    expect(leader.status).toMatchObject({ role: 'leader', term });
  });

  test('a hint about somebody else, or at the leader itself, means nothing', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    leader.raft.leaderLost(id(1));
    network.peer(2).raft.leaderLost(id(3));
    network.isolate(1);
    network.tick(shortTicks - 1, 2, 3);
    expect(network.peer(2).status.leader).toBe(id(1));
    expect(leader.status.role).toBe('leader');
  });
});
