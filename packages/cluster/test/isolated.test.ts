/** Clusters without a register: each is alone, whoever it meets. */
import { describe, expect, test } from 'vitest';
import { World } from './world.ts';

describe('formation isolated', () => {
  test('F7 Z13 two halves that start apart, with no register between them, stay two when they meet', async () => {
    const world = new World();
    const [a, b] = [
      world.member('a', { formation: 'isolated' }),
      world.member('b', { formation: 'isolated' }),
    ];
    world.part([a], [b]);
    void a.start();
    void b.start();
    await world.ready([a, b]);
    await world.append(a, 'of a');
    world.part([a], [b], 'heal');
    await world.clock.advance(10_000);
    await world.append(b, 'of b');
    expect(a.status.clusterId).not.toBe(b.status.clusterId);
    for (const { status } of [a, b]) expect(status.members.length).toBe(1);
    expect([await world.read(a), await world.read(b)]).toEqual([['of a'], ['of b']]);
  });

  test('F7 Z9 two halves with one register between them become one, though they cannot meet at first', async () => {
    const world = new World();
    const [a, b] = [world.member('a'), world.member('b')];
    world.part([a], [b]);
    void a.start();
    void b.start();
    await world.clock.advance(20_000);
    expect([a, b].filter(({ status }) => status.phase === 'ready').length).toBe(1);
    world.part([a], [b], 'heal');
    await world.ready([a, b]);
    expect(a.status.clusterId).toBe(b.status.clusterId);
  });
});
