import { describe, expect, test } from 'vitest';
import { World } from './world.ts';

describe('a cluster that is not active yet', () => {
  test('Z10 answers no read: until it is active, another cluster may be the one', async () => {
    const world = new World();
    const alone = world.member('a');
    void alone.start();
    await world.ready([alone]);
    world.registers.setReachable(false);
    let answered = false;
    const read = alone.readBarrier({ timeoutMs: 30_000 }).then(() => {
      answered = true;
    });
    await world.clock.advance(5_000);
    expect(answered).toBe(false);
    world.registers.setReachable(true);
    await world.wait(read);
    expect(answered).toBe(true);
  });

  test('D5 F6 is founded once there is room on the disk', async () => {
    const world = new World();
    const alone = world.member('a');
    world.disk(alone).full = true;
    void alone.start();
    await world.clock.advance(5_000);
    expect(alone.status.phase).not.toBe('stopped');
    world.disk(alone).full = false;
    await world.append(alone, 'x');
    expect(world.log(alone)).toEqual(['x']);
  });
});
