/** A cluster is lost and restored from a backup, and a page of before comes back. */
import { expect } from '@playwright/test';
import { rm } from 'node:fs/promises';
import { quorate } from '../../src/command.ts';
import { demand, entry } from '../../src/gateway.ts';
import { test } from './test.ts';

test('T2 Z52 Z12 a page of a lost cluster archives what it has and comes in as a new member of the restored one', async ({
  world,
}) => {
  const [member] = await world.startMembers(1);
  const { gateway, namespace, data } = member!;
  await demand(gateway, 'put', { key: 'kept', value: 'in the backup' });
  const [tab] = await world.openIn(world.profile);
  const before = await tab!.status();
  const file = world.processes.path('shop.backup');
  const backup = await quorate(['backup', file, '--gateway', gateway]);
  expect(backup.code, backup.stderr).toBe(0);
  await demand(gateway, 'put', { key: 'lost', value: 'came later' });

  await tab!.close();
  await member!.kill();
  await rm(data ?? '', { recursive: true });
  const restored = world.processes.path('restored');
  const cluster = before.clusterId ?? '';
  const restore = await quorate([
    ...['restore', file, '--data', restored, '--relay', world.relay.address],
    ...['--secret-file', world.secret.file, '--replace', cluster.slice(0, 8), '--yes'],
  ]);
  expect(restore.code, restore.stderr).toBe(0);
  const secretFile = world.secret.file;
  const options = { namespace, secretFile, data: restored };
  const first = await world.processes.member('r', world.relay, options);
  await first.start();

  const [back] = await world.openIn(world.profile);
  await expect
    .poll(async () => (await back!.status()).clusterId, { timeout: 60_000 })
    .not.toBe(cluster);
  await back!.untilReady();
  const after = await back!.status();
  expect(after.archived).toEqual({ clusterId: cluster, generation: 1 });
  expect(after.nodeId).not.toBe(before.nodeId);
  expect(after.phase).toBe('ready');
  expect(await back!.page.evaluate(() => globalThis.app.peek('kept'))).toBe('in the backup');
  expect(await back!.page.evaluate(() => globalThis.app.peek('lost'))).toBeUndefined();
  await back!.mark();
  expect((await entry(first.gateway, 'kept'))?.value).toBe('in the backup');
});
