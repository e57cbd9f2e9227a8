import { expect, test } from 'vitest';
import { disk, id, membershipEntry, Network, noBytes, voters } from './network.ts';

const three = voters(2, 3, 4);

test('status() lists peers by name, whenever they came', () => {
  const network = new Network();
  for (const number of [2, 3, 4]) network.add(number, disk([membershipEntry(1, 1, three)]));
  const leader = network.elect(2);
  network.add(1);
  leader.raft.proposeChange({
    membership: { voters: three.voters, learners: [id(1)] },
    expectedIndex: leader.status.membershipIndex,
    context: noBytes,
  });
  network.settle();
  expect(leader.status.progress.map(({ peer }) => peer)).toEqual([1, 3, 4].map(id));
});

test('status() calls a peer active until it was not heard for the shortest election timeout', () => {
  const network = new Network();
  for (const number of [2, 3, 4]) network.add(number, disk([membershipEntry(1, 1, three)]));
  const leader = network.elect(2);
  network.tick(1);
  network.isolate(4);
  const seen: unknown[] = [];
  for (let tick = 0; tick < 10; tick++) {
    network.tick(1, 2, 3);
    seen.push(leader.status.progress.map(({ recentActive }) => recentActive));
  }
  expect(seen.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => [true, true]));
  expect(seen[9]).toEqual([true, false]);
});
