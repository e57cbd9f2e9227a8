/** A namespace with a secret: who holds it takes part, nobody else does. */
import { readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { quorateJson } from '../src/command.ts';
import { demand, entry, metric } from '../src/gateway.ts';
import { sharedWorld } from '../src/shared.ts';
import { idsOf } from '../src/world.ts';
import type { MemberSeat, RelaySeat, World } from '../src/world.ts';

let world: World;
let relay: RelaySeat;
let members: readonly MemberSeat[];
let secretFile: string;

sharedWorld(async (created) => {
  world = created;
  secretFile = await newSecret('right');
  ({ relay, members } = await world.cluster(3, { secretFile }));
});

async function newSecret(name: string): Promise<string> {
  const file = world.path(`${name}.secret`);
  await quorateJson(['secret', 'generate', '--out', file]);
  return file;
}

/** What lies below a directory; nothing where there is none. */
async function filesOf(directory: string | null): Promise<readonly string[]> {
  return readdir(directory ?? '', { recursive: true }).catch(() => []);
}

function gateways(): readonly string[] {
  return members.map((member) => member.gateway);
}

it('F16 members with the secret are one cluster, and nothing is said about being public', async () => {
  for (const [index, gateway] of gateways().entries()) {
    await demand(gateway, 'put', { key: `by/${index}`, value: index });
  }
  for (const member of members) {
    expect(await entry(member.gateway, 'by/2')).toMatchObject({ value: 2 });
    expect(member.daemon.asides).toEqual([]);
  }
});

it('F16 T29 a wrong or missing secret: BAD_SECRET, exit 3 and no file at the stranger, the cluster untouched and aware', async () => {
  const before = await Promise.all(members.map((member) => member.status()));
  const { revision } = await demand<{ revision: number }>(gateways()[0] ?? '', 'range', {});
  const wrong = await world.member('wrong', relay, { secretFile: await newSecret('wrong') });
  const open = await world.member('open', relay);
  for (const stranger of [wrong, open]) {
    const daemon = stranger.launch();
    const ending = await daemon.end(60_000);
    expect(ending).toEqual({ code: 3, signal: null });
    const error = daemon.events.find(({ event }) => event === 'error');
    expect(error).toMatchObject({
      code: 'BAD_SECRET',
      message: expect.stringContaining('secret') as string,
    });
    expect(daemon.events.at(-1)).toEqual({ event: 'stopped' });
    // T29: nothing was made for it, not even an empty replica.
    expect(await filesOf(stranger.data)).toEqual([]);
  }

  const after = await Promise.all(members.map((member) => member.status()));
  for (const [index, status] of after.entries()) {
    expect(status.clusterId).toBe(before[index]?.clusterId);
    expect(status.members.map(({ nodeId, kind }) => [nodeId, kind])).toEqual(
      before[index]?.members.map(({ nodeId, kind }) => [nodeId, kind]),
    );
  }
  expect(await demand(gateways()[1] ?? '', 'range', {})).toMatchObject({ revision });
  await world.until('the members count who was refused', async () => {
    for (const gateway of gateways()) {
      const atRegister = (await metric(gateway, 'quorate_bad_secret_at_register_total')) ?? 0;
      const atLinks = (await metric(gateway, 'quorate_bad_secret_total')) ?? 0;
      if (atRegister + atLinks >= 2) return true;
    }
    return false;
  });
});

it('F16 F8 with the secret: a leader killed under the same secret comes back; a fourth member joins', async () => {
  const leader = await world.leader(members);
  await leader.kill();
  const rest = members.filter((member) => member !== leader);
  await world.leader(rest);
  await demand(rest[0]?.gateway ?? '', 'put', { key: 'without', value: leader.label });
  await leader.start();
  await world.voters(members);
  expect(await entry(leader.gateway, 'without')).toMatchObject({ value: leader.label });

  const fourth = await world.member('d', relay, { secretFile });
  await fourth.start();
  await world.until('the fourth member is in', async () => {
    const status = await fourth.status();
    return status.phase === 'ready' && idsOf(status.members, 'learner')[0] === fourth.nodeId;
  });
  expect(await entry(fourth.gateway, 'by/0')).toMatchObject({ value: 0 });
});
