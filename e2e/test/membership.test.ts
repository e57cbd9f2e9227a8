/** Who is a member and who votes, as members come, leave and die for good. */
import { cp } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { quorate, quorateJson } from '../src/command.ts';
import { demand, entry } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { idsOf, inWorld } from '../src/world.ts';
import type { MemberSeat, World } from '../src/world.ts';

/** Waits until all of `members` know exactly these voters and learners. */
async function membership(
  world: World,
  members: readonly MemberSeat[],
  voterCount: number,
): Promise<void> {
  await world.until(`${members.length} members of whom ${voterCount} vote`, async () => {
    const all = members.map((member) => member.nodeId).sort();
    for (const member of members) {
      const { phase, members: rows } = await member.status();
      const voters = idsOf(rows, 'voter');
      const known = [...voters, ...idsOf(rows, 'learner')].sort();
      if (phase !== 'ready' || voters.length !== voterCount || String(known) !== String(all)) {
        throw new Error(`${member.label} is ${phase}: ${JSON.stringify(rows)}`);
      }
    }
    return true;
  });
}

it('Z18 F9 one of three leaves: one voter and a learner are left, with the data; it stays away', () =>
  inWorld(async (world) => {
    const { relay, members } = await world.cluster(3);
    const [a, b, c] = members as [MemberSeat, MemberSeat, MemberSeat];
    await demand(a.gateway, 'put', { key: 'k', value: 'before' });

    expect(await quorateJson(['leave', '--gateway', c.gateway])).toEqual({ nodeId: c.nodeId });
    expect(await c.daemon.end()).toEqual({ code: 0, signal: null });
    expect(c.daemon.events.at(-1)).toEqual({ event: 'stopped' });
    await membership(world, [a, b], 1);
    for (const member of [a, b]) {
      await demand(member.gateway, 'put', { key: `after/${member.label}`, value: 'x' });
      expect(await entry(member.gateway, 'k')).toMatchObject({ value: 'before' });
    }
    const left = c.nodeId;

    // Only a person brings it back, and then as somebody new.
    await c.start();
    expect(c.nodeId).not.toBe(left);
    await world.voters([a, b, c]);
    expect(await entry(c.gateway, 'after/a')).toMatchObject({ value: 'x' });
    expect(relay.isRunning).toBe(true);
  }));

it('Z18 leave --node removes a member through another one: its process ends and does not return', () =>
  inWorld(async (world) => {
    const { members } = await world.cluster(3);
    const leader = await world.leader(members);
    const [gone, through] = members.filter((member) => member !== leader);
    if (gone === undefined || through === undefined) throw new Error('there are no followers');
    const beginning = gone.nodeId.slice(0, 12);
    expect(await quorateJson(['leave', '--node', beginning, '--gateway', through.gateway])).toEqual(
      { nodeId: gone.nodeId },
    );
    expect(await gone.daemon.end()).toEqual({ code: 0, signal: null });
    expect(gone.daemon.events.filter(({ event }) => event === 'error')).toMatchObject([
      { code: 'REMOVED' },
    ]);
    await membership(world, [leader, through], 1);

    // The leader can be told to go, too: the seat moves to the other one first.
    await quorateJson(['leave', '--gateway', leader.gateway]);
    expect(await leader.daemon.end()).toEqual({ code: 0, signal: null });
    await membership(world, [through], 1);
    await demand(through.gateway, 'put', { key: 'the last', value: 'one' });
    const again = await quorate(['leave', '--node', beginning, '--gateway', through.gateway]);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('No member');
  }));

it('Z3 Z48 a copied data directory: the copy halts, the original and the others write on', () =>
  inWorld(async (world) => {
    const { relay, members } = await world.cluster(3);
    const leader = await world.leader(members);
    const [copied, other] = members.filter((member) => member !== leader);
    if (copied === undefined || other === undefined) throw new Error('there are no followers');
    const load = new Load([leader.gateway, other.gateway]);
    await copied.daemon.stop();
    const data = world.path('copy');
    await cp(String(copied.data), data, { recursive: true });
    const copy = await world.member('copy', relay, { data });
    await copied.start();
    await world.voters(members);
    // By its branch at the first start, by its own mark at the second. Rolled back is what it is called
    // where the load has carried the original past what was copied.
    for (let start = 1; start <= 2; start++) expect(await copy.refusal()).toMatch(/^REPLICA_/);
    const before = load.acked;
    await world.until('the others write on', () => load.acked >= before + 20);

    await world.voters(members);
    await load.stop();
    await world.caughtUp(members);
    for (const member of members) expect(await load.complaints(member.gateway)).toEqual([]);
  }));

it('Z16 a member in memory has a full copy and no vote, and is forgotten once it is gone', () =>
  inWorld(async (world) => {
    const { relay, members } = await world.cluster(1);
    const [a] = members as [MemberSeat];
    const memory = ['--ephemeral'];
    const m = await world.member('m', relay, { data: null, flags: memory });
    const n = await world.member('n', relay, { data: null, flags: memory });
    await demand(a.gateway, 'put', { key: 'k', value: 'v' });
    await Promise.all([m.start(), n.start()]);
    await membership(world, [a, m, n], 1);
    await demand(n.gateway, 'put', { key: 'k', value: 'by n' });
    for (const member of [a, m]) {
      expect(await entry(member.gateway, 'k')).toMatchObject({ value: 'by n' });
    }
    // Two disks more, and all three disks vote; memory never does.
    const [b, c] = [await world.member('b', relay), await world.member('c', relay)];
    await Promise.all([b.start(), c.start()]);
    await membership(world, [a, b, c, m, n], 3);
    expect(idsOf((await a.status()).members, 'learner')).toEqual([m.nodeId, n.nodeId].sort());

    await n.kill();
    await membership(world, [a, b, c, m], 3);
  }));

it('F1 Z16 Z19 five members are five voters; one that dies for good is replaced by a learner', () =>
  inWorld(async (world) => {
    const { relay, members } = await world.cluster(5);
    await demand(members[0]?.gateway ?? '', 'put', { key: 'k', value: 'v' });
    const sixth = await world.member('f', relay);
    await sixth.start();
    await membership(world, [...members, sixth], 5);
    expect(await entry(sixth.gateway, 'k')).toMatchObject({ value: 'v' });

    const leader = await world.leader(members);
    const victim = members.find((member) => member !== leader);
    await victim?.kill();
    const alive = [...members, sixth].filter((member) => member !== victim);
    await world.until('the sixth votes in its place', async () => {
      const { members: rows } = await sixth.status();
      const wanted = alive.map((member) => member.nodeId).sort();
      return String(idsOf(rows, 'voter')) === String(wanted);
    });
    await demand(sixth.gateway, 'put', { key: 'k', value: 'after' });

    // Two more may go now, as in any cluster of five.
    const [one, two] = alive.filter((member) => member !== sixth);
    await Promise.all([one?.kill(), two?.kill()]);
    const rest = alive.filter((member) => member !== one && member !== two);
    await world.leader(rest);
    await demand(sixth.gateway, 'put', { key: 'k', value: 'by three' });

    // And who was replaced comes back as a learner, with its old name.
    const before = victim?.nodeId;
    await victim?.start();
    expect(victim?.nodeId).toBe(before);
    await world.until('it is a learner and has caught up', async () => {
      const kv = await entry(victim?.gateway ?? '', 'k', 'local');
      return kv?.value === 'by three';
    });
  }));
