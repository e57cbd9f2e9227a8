/** T1 and T8 with real processes and directories: who says that he is a run of somebody's replica. */
import { randomBytes } from 'node:crypto';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { quorate } from '../src/command.ts';
import { demand, entry, metric } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';
import type { MemberSeat, World } from '../src/world.ts';

type Seats = readonly [MemberSeat, MemberSeat, MemberSeat];

function dataOf({ data, label }: MemberSeat): string {
  if (data === null) throw new Error(`${label} has no directory`);
  return data;
}

/** Up to the moment in which the copy lies over l1, and l3 runs again: K and K2 are with l2 alone. */
async function untilTheCopyIsBack(world: World, members: Seats): Promise<string> {
  const [l1, l2, l3] = members;
  await demand(l1.gateway, 'put', { key: 'before', value: 1 });
  await l1.daemon.stop();
  const copy = world.path('copy');
  await cp(dataOf(l1), copy, { recursive: true });
  await l1.start();
  await world.voters(members);
  await l3.daemon.stop();
  for (const key of ['K', 'K2']) await demand(l1.gateway, 'put', { key, value: key });
  await l2.daemon.stop();
  await l1.daemon.stop();
  await layOver(l1, copy);
  await l3.start();
  return copy;
}

async function layOver(member: MemberSeat, copy: string): Promise<void> {
  await rm(dataOf(member), { recursive: true });
  await cp(copy, dataOf(member), { recursive: true });
}

it('T1 Z38 a copy laid over a voter is refused at its first and each later start; nothing is lost', async () => {
  await inWorld(async (world) => {
    const members = (await world.cluster(3)).members as Seats;
    const [l1, l2, l3] = members;
    const copy = await untilTheCopyIsBack(world, members);
    expect(await l1.refusal()).toMatch(/^REPLICA_/);
    // The mark is on its disk: nobody else has to be there.
    for (let start = 2; start <= 4; start++) expect(await l1.refusal()).toMatch(/^REPLICA_/);
    // Laid over it again, the mark is gone; whoever refused it has not forgotten.
    await layOver(l1, copy);
    expect(await l1.refusal()).toMatch(/^REPLICA_/);
    await world.until('l3 is read-only', async () => (await l3.status()).phase === 'read-only');
    await l2.start();
    await world.caughtUp([l2, l3]);
    for (const member of [l2, l3]) {
      for (const key of ['K', 'K2']) {
        expect(await entry(member.gateway, key)).toMatchObject({ value: key });
      }
    }
    expect(await l1.refusal()).toMatch(/^REPLICA_/);
    const { forks } = await l3.status();
    expect(forks.map(({ label }) => label)).toEqual([l1.label]);
    expect(forks[0]?.hosts.every((host) => host.length > 10)).toBe(true);
  });
});

it('Z48 a person decides for the copy: quorate doctor --keep-this, typed, and it is let in', async () => {
  await inWorld(async (world) => {
    const members = (await world.cluster(3)).members as Seats;
    const [l1, l2, l3] = members;
    await untilTheCopyIsBack(world, members);
    expect(await l1.refusal()).toMatch(/^REPLICA_/);
    const doctor = ['doctor', '--keep-this', dataOf(l1)];
    const doubted = await quorate(doctor, { input: 'yes\n' });
    expect([doubted.code, doubted.stdout]).toEqual([1, '']);
    expect(await l1.refusal()).toMatch(/^REPLICA_/);
    const typed = await quorate(doctor, { input: `${l1.nodeId.slice(0, 8)}\n` });
    expect(typed.code).toBe(0);
    // Whoever holds what was given up is gone for good: its seat goes to nobody while it is away.
    expect(l2.isRunning).toBe(false);
    await l1.start();
    await world.until('l1 and l3 go on', async () => {
      const states = await Promise.all([l1.status(), l3.status()]);
      return states.every(({ phase, leader }) => phase === 'ready' && leader !== null);
    });
    await demand(l1.gateway, 'put', { key: 'after', value: 2 });
    expect(await entry(l3.gateway, 'before')).toMatchObject({ value: 1 });
    // Said once, it holds at the next start, too.
    await l1.daemon.stop();
    await l1.start();
    expect(await entry(l1.gateway, 'after')).toMatchObject({ value: 2 });
  });
});

it('T29 Z48 a copy started beside its original says which directory, which host, what to do', async () => {
  await inWorld(async (world) => {
    const { relay, members } = await world.cluster(3);
    const [l1, l2] = members as Seats;
    await demand(l1.gateway, 'put', { key: 'before', value: 1 });
    await l1.daemon.stop();
    const data = world.path('beside');
    await cp(dataOf(l1), data, { recursive: true });
    await l1.start();
    await world.voters(members);
    const copy = await world.member('copy', relay, { data });
    const daemon = copy.launch();
    expect((await daemon.end(60_000)).code).not.toBe(0);
    const error = daemon.events.findLast(({ event }) => event === 'error');
    expect(error?.code).toMatch(/^REPLICA_(CLONED|ROLLED_BACK)$/);
    expect(error?.message).toContain(`${data}/${copy.namespace} on ${hostname()}`);
    expect(error?.message).toContain('Run the other one and put this directory aside');
    expect(error?.message).toContain('quorate doctor --keep-this');
    // The original never notices but by what it is told.
    await demand(l1.gateway, 'put', { key: 'after', value: 2 });
    expect(await entry(l2.gateway, 'after')).toMatchObject({ value: 2 });
    expect(l1.isRunning).toBe(true);
  });
});

/** The replica in a directory gets a key that is not its own: no hash of it is its NodeId. */
async function exchangeKey(data: string, namespace: string): Promise<void> {
  const file = join(data, namespace, 'log', 'replica', 'identity');
  const [line = ''] = (await readFile(file, 'utf8')).split('\n');
  const identity = JSON.parse(line) as { readonly key: string };
  expect(identity.key).toMatch(/^[0-9a-f]{64}$/);
  const forged = JSON.stringify({ ...identity, key: randomBytes(32).toString('hex') });
  await writeFile(file, `${forged}\n${crc32(forged).toString(16).padStart(8, '0')}\n`);
}

async function refusedBy(member: MemberSeat): Promise<number> {
  return (await metric(member.gateway, 'quorate_refused_frames_total')) ?? 0;
}

it('T8 Z39 a voter’s next run that somebody else signed stops nobody and leaves no refusal', async () => {
  await inWorld(async (world) => {
    const { relay, members } = await world.cluster(3);
    const [l1, l2, l3] = members as Seats;
    await demand(l1.gateway, 'put', { key: 'before', value: 1 });
    await l1.daemon.stop();
    const data = world.path('forged');
    await cp(dataOf(l1), data, { recursive: true });
    const liar = await world.member('liar', relay, { data });
    await exchangeKey(data, liar.namespace);
    const before = await Promise.all([l2, l3].map(refusedBy));
    const daemon = liar.launch();
    await world.until('both voters closed its links', async () => {
      const now = await Promise.all([l2, l3].map(refusedBy));
      return now.every((count, at) => count > (before[at] ?? 0));
    });
    for (const member of [l2, l3]) {
      const { members: rows } = await member.status();
      expect(rows.find(({ nodeId }) => nodeId === l1.nodeId)).toMatchObject({ reachable: false });
    }
    // It was no other reason that ended it.
    expect(daemon.isRunning).toBe(true);
    await liar.kill();
    // Started twice: nobody keeps anything against the honest one.
    for (const key of ['after', 'and again']) {
      await l1.start();
      await world.voters(members);
      await demand(l1.gateway, 'put', { key, value: 2 });
      for (const member of [l1, l2, l3]) expect((await member.status()).forks).toEqual([]);
      await l1.daemon.stop();
    }
    expect(await entry(l2.gateway, 'and again')).toMatchObject({ value: 2 });
  });
});
