/** Tabs that compute for long: nothing of theirs runs meanwhile, and nobody is to blame for that. */
import { expect } from '@playwright/test';
import { test } from './test.ts';

for (const busyMs of [700, 3_000]) {
  test(`T11 Z44 Z61 a lone tab computes for ${busyMs} ms: its term stays, a click's write is done right after`, async ({
    world,
  }) => {
    const [tab] = await world.openReady(1);
    const before = (await tab!.status()).raft;
    const clicks = 5;
    const lateMs: number[] = [];
    for (let click = 0; click < clicks; click += 1) {
      const tookMs = await tab!.page.evaluate((ms) => globalThis.app.clickAndCompute(ms), busyMs);
      lateMs.push(Math.round(tookMs - busyMs));
    }
    console.log(`T11: writes done ${lateMs.join(', ')} ms after ${busyMs} ms of computing`);
    expect(await tab!.page.evaluate(() => globalThis.app.sum())).toBe(clicks);
    const { term, leader, epoch } = (await tab!.status()).raft;
    expect({ term, leader, epoch }).toEqual({
      term: before.term,
      leader: before.leader,
      epoch: before.epoch,
    });
    expect([...tab!.said('refused'), ...tab!.said('unknown')]).toEqual([]);
    await world.verify();
  });
}
