/** Three members and their relay, stopped and killed in every combination, and brought back. */
import { beforeEach, expect, it } from 'vitest';
import { quorate } from '../src/command.ts';
import { call, demand, entry } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { sharedWorld } from '../src/shared.ts';
import { idsOf } from '../src/world.ts';
import type { MemberSeat, RelaySeat, World } from '../src/world.ts';

let world: World;
let relay: RelaySeat;
let members: readonly MemberSeat[];
let nodeIds: readonly string[];

sharedWorld(async (created) => {
  world = created;
  ({ relay, members } = await world.cluster(3));
  nodeIds = members.map((member) => member.nodeId);
});

/** Whatever the test before left behind: all of them run, and agree. */
beforeEach(async () => {
  if (!relay.isRunning) await relay.start();
  const down = members.filter((member) => !member.isRunning);
  await Promise.all(down.map((member) => member.start()));
  await world.voters(members);
});

async function put(member: MemberSeat, key: string, value: unknown): Promise<void> {
  await demand(member.gateway, 'put', { key, value });
}

function others(...gone: readonly MemberSeat[]): readonly MemberSeat[] {
  return members.filter((member) => !gone.includes(member));
}

function first(seats: readonly MemberSeat[]): MemberSeat {
  const [seat] = seats;
  if (seat === undefined) throw new Error('nobody is left');
  return seat;
}

it('F8 all are killed at once and started again: same members, same data, it goes on', async () => {
  const { clusterId } = await first(members).status();
  await put(first(members), 'all/killed', 'before');
  await Promise.all([...members, relay].map((seat) => seat.kill()));
  await relay.start();
  await Promise.all(members.map((member) => member.start()));
  await world.voters(members);
  expect(members.map((member) => member.nodeId)).toEqual(nodeIds);
  for (const member of members) {
    expect((await member.status()).clusterId).toBe(clusterId);
    expect(await entry(member.gateway, 'all/killed')).toMatchObject({ value: 'before' });
    await put(member, `all/back/${member.label}`, 'after');
  }
});

it('F8 the same while the relay is down: they remember where they met', async () => {
  await put(first(members), 'relayless', 'before');
  await relay.kill();
  await Promise.all(members.map((member) => member.kill()));
  await Promise.all(members.map((member) => member.start()));
  await world.voters(members);
  expect(members.map((member) => member.nodeId)).toEqual(nodeIds);
  for (const member of members) {
    expect(await entry(member.gateway, 'relayless')).toMatchObject({ value: 'before' });
    await put(member, `relayless/${member.label}`, 'after');
  }
});

it('F8 SIGTERM under load, a follower and every leader in turn: exit 0, the seat is kept, nothing is lost', async () => {
  const load = new Load(
    members.map((member) => member.gateway),
    { counting: 2, insisting: 2, putting: 2, reading: 1 },
  );
  const follower = first(others(await world.leader(members)));
  let handedOver = 0;
  for (const wanted of [follower, null, null, null]) {
    const seat = wanted ?? (await world.leader(members));
    const { term } = await seat.status();
    const told = new Map(others(seat).map((other) => [other, other.daemon.events.length]));
    expect(await seat.daemon.stop()).toEqual({ code: 0, signal: null });
    expect(seat.daemon.events.at(-1)).toEqual({ event: 'stopped' });

    const next = await world.leader(others(seat));
    if (wanted === null) {
      expect((await next.status()).term).toBeGreaterThan(term);
      // Who is handed the leadership asks nobody first whether an election could be won.
      const asked = [...told].some(([other, count]) =>
        other.daemon.events.slice(count).some((event) => event['role'] === 'preCandidate'),
      );
      if (!asked) handedOver++;
    }
    const status = await next.status();
    expect(idsOf(status.members, 'voter')).toEqual([...nodeIds].sort());
    const before = load.acked;
    await world.until('the two that are left write on', () => load.acked >= before + 10);

    await seat.start();
    await world.voters(members);
    expect(members.map((member) => member.nodeId)).toEqual(nodeIds);
  }
  await load.stop();
  await world.caughtUp(members);
  for (const member of members) expect(await load.complaints(member.gateway)).toEqual([]);
  // Three times asked for; a machine that stalls may lose one to an election, not all of them.
  expect(handedOver).toBeGreaterThan(0);
});

it('F14 two of three are killed: NO_QUORUM at once, naming them; one returns: it goes on', async () => {
  const [survivor, second, third] = members;
  if (survivor === undefined || second === undefined || third === undefined) throw new Error();
  await put(survivor, 'quorum', 'before');
  await world.caughtUp(members);
  await Promise.all([second.kill(), third.kill()]);
  await world.until('the survivor is read-only', async () => {
    return (await survivor.status()).phase === 'read-only';
  });
  expect((await survivor.status()).leader).toBeNull();

  for (const [name, request] of [
    ['put', { key: 'quorum', value: 'during' }],
    ['get', { key: 'quorum' }],
    ['increment', { key: 'quorum/count' }],
  ] as const) {
    const answer = await call(survivor.gateway, name, request);
    expect(answer, name).toMatchObject({ ok: false, code: 'NO_QUORUM', outcome: 'not-applied' });
    if (answer.ok) continue;
    const missing = answer.details['missing'] as readonly { readonly label: string }[];
    expect(missing.map(({ label }) => label).sort()).toEqual(['b', 'c']);
  }
  const told = await quorate(['put', 'quorum', 'x', '--json', '--gateway', survivor.gateway]);
  expect(told.code).toBe(3);
  expect(JSON.parse(told.stdout)).toMatchObject({
    error: {
      code: 'NO_QUORUM',
      outcome: 'not-applied',
      message: expect.stringMatching(/\bb\b.*\bc\b|\bc\b.*\bb\b/) as string,
    },
  });
  expect(survivor.daemon.events).toContainEqual(
    expect.objectContaining({ event: 'error', code: 'NO_QUORUM' }),
  );
  const stale = await entry(survivor.gateway, 'quorum', 'local');
  expect(stale).toMatchObject({ value: 'before' });

  await second.start();
  await world.leader([survivor, second]);
  await put(survivor, 'quorum', 'after');
  expect(await entry(second.gateway, 'quorum')).toMatchObject({ value: 'after', version: 2 });
  expect(await entry(survivor.gateway, 'quorum/count')).toBeNull();
});

it('F15 the relay is killed: the cluster goes on; it returns with its data: the claim is there and a new member joins', async () => {
  const { clusterId } = await first(members).status();
  await relay.kill();
  for (const member of members) await put(member, `relay/down/${member.label}`, 'written');
  // Even a leader can go while the relay is away.
  const leader = await world.leader(members);
  await leader.kill();
  await world.leader(others(leader));
  await put(first(others(leader)), 'relay/down', 'still written');
  await leader.start();
  await world.voters(members);

  await relay.start();
  const fourth = await world.member('d', relay);
  await fourth.start();
  await world.until('the fourth member is in', async () => {
    const status = await fourth.status();
    return status.phase === 'ready' && status.members.length === 4;
  });
  const status = await fourth.status();
  expect(status.clusterId).toBe(clusterId);
  // Four would be no better than three: the newcomer listens.
  expect(idsOf(status.members, 'voter')).toEqual([...nodeIds].sort());
  expect(idsOf(status.members, 'learner')).toEqual([fourth.nodeId]);
  for (const member of members) {
    const key = `relay/down/${member.label}`;
    expect(await entry(fourth.gateway, key)).toMatchObject({ value: 'written' });
  }
  await put(fourth, 'by the fourth', 'x');
  expect(await entry(first(members).gateway, 'by the fourth')).toMatchObject({ value: 'x' });
});
