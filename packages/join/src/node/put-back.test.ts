/** Z53: a relay whose register was put back to an earlier state, and members that were founded since. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyRecord } from '@quorate/crypto';
import { startRelay } from '@quorate/transport-libp2p/relay';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { joinCluster } from './join-cluster.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-put-back-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const patience = { timeout: 25_000 };

test('Z53 the members say REGISTER_LOST, nobody founds beside them, and one command writes them back', async () => {
  const place = join(directory, 'relay');
  const start = (listen: string): ReturnType<typeof startRelay> =>
    startRelay({
      directory: place,
      listen: [listen],
      init: true,
      fresh: true,
      verify: verifyRecord,
    });
  let relay = await start('/ip4/127.0.0.1/tcp/0/ws');
  const address = relay.addresses()[0]?.split('/p2p/')[0] ?? '';
  await relay.close();
  cpSync(place, `${place}.copy`, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  relay = await start(address);
  const options = { namespace: 'test', relays: [address], secret: 'public' } as const;
  const member = joinCluster({ ...options, dataDir: join(directory, 'member') });
  await member.kv.put('a', 1);
  await relay.close();
  rmSync(place, { recursive: true });
  cpSync(`${place}.copy`, place, { recursive: true });

  relay = await start(address);
  await expect.poll(() => relay.isIncomplete, patience).toBe(true);
  await expect.poll(() => member.status.reason, patience).toBe('REGISTER_LOST');
  await member.kv.put('b', 2);
  const early = joinCluster({ ...options, dataDir: join(directory, 'early') });
  await expect.poll(() => early.status.phase, patience).toBe('stopped');
  expect(early.status).toMatchObject({ reason: 'REGISTER_LOST', clusterId: null });
  expect(early.status.message).toContain('put back to an earlier state');
  await early.close();

  expect(await member.restoreRegister()).toMatchObject({ changed: true, group: relay.group });
  await expect.poll(() => member.status.reason, patience).toBeNull();
  const later = joinCluster({ ...options, dataDir: join(directory, 'later') });
  await later.ready();
  expect(await later.kv.get('b')).toBe(2);
  expect(later.status.clusterId).toBe(member.status.clusterId);
  await later.close();
  await member.close();
  await relay.close();
}, 90_000);
