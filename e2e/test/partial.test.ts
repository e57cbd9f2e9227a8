/** Networks that are broken in part: members that some see and others do not, one-way connections. */
import { expect, it } from 'vitest';
import { demand } from '../src/gateway.ts';
import type { Status } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { Switchboard } from '../src/switchboard.ts';
import { freePort, inWorld } from '../src/world.ts';
import type { MemberSeat, World } from '../src/world.ts';

it('F5 two members that see the third, which leads, but not each other: one cluster, both write, no storm of elections', () =>
  inWorld((world) =>
    onSwitchboard(world, async (switchboard, members) => {
      const leader = await world.leader(members);
      const [a, b] = members.filter((member) => member !== leader) as [MemberSeat, MemberSeat];
      switchboard.part(a.label, b.label);
      // The relay would carry what the two have to say to each other.
      switchboard.part(a.label, 'relay');
      await world.until('they have lost each other', async () => {
        const [fromA, fromB] = await Promise.all([a.status(), b.status()]);
        return !sees(fromA, b) && !sees(fromB, a);
      });
      const { term, clusterId } = await leader.status();

      const loads = [a, b].map(({ gateway }) => new Load([gateway]));
      await world.until(`both write (${loads.map(({ tally }) => tally).join('; ')})`, () =>
        loads.every(({ acked }) => acked >= 300),
      );
      await Promise.all(loads.map((load) => load.stop()));
      for (const member of members) {
        const status = await member.status();
        expect(status.clusterId).toBe(clusterId);
        expect(status.term).toBeLessThan(term + termsMax);
      }

      switchboard.heal();
      await world.until('they see each other again', async () => {
        const [fromA, fromB] = await Promise.all([a.status(), b.status()]);
        return sees(fromA, b) && sees(fromB, a);
      });
      await world.voters(members);
    }),
  ));

it('F5 E7 a follower that sees its leader no more, but another follower: no storm of elections, and it goes on after the healing', () =>
  inWorld((world) =>
    onSwitchboard(world, async (switchboard, members) => {
      const leader = await world.leader(members);
      const [a, b] = members.filter((member) => member !== leader) as [MemberSeat, MemberSeat];
      const { term } = await leader.status();
      switchboard.part(a.label, leader.label);
      switchboard.part(a.label, 'relay');
      await world.until('it knows no leader', async () => (await a.status()).leader === null);
      const load = new Load([leader.gateway, b.gateway]);
      await world.until(`the others write on (${load.tally})`, () => load.acked >= 300);

      switchboard.heal();
      await world.voters(members);
      await load.stop();
      await world.caughtUp(members);
      for (const { gateway } of members) expect(await load.complaints(gateway)).toEqual([]);
      expect((await leader.status()).term).toBeLessThan(term + termsMax);
    }),
  ));

for (const [what, broken] of [
  ['can send but not receive', 'deaf'],
  ['can receive but not send', 'mute'],
] as const) {
  it(`E10 C5 R6 a leader that ${what} steps down, another leads, every acknowledged write is there`, () =>
    inWorld((world) =>
      onSwitchboard(world, async (switchboard, members) => {
        const load = new Load(members.map(({ gateway }) => gateway));
        const first = await world.leader(members);
        const { term } = await first.status();
        const others = members.filter((member) => member !== first);
        await world.until(`they write (${load.tally})`, () => load.acked >= 50);

        for (const name of [...others.map(({ label }) => label), 'relay']) {
          if (broken === 'deaf') switchboard.cut(name, first.label);
          else switchboard.cut(first.label, name);
        }
        await world.until('it leads no more', async () => (await first.status()).role !== 'leader');
        await world.until('another one leads', async () => {
          const states = await Promise.all(others.map((member) => member.status()));
          const [one] = states;
          return states.every(
            (status) =>
              status.term > term && status.leader !== null && status.leader === one?.leader,
          );
        });
        const before = load.acked;
        await world.until(`the others write (${load.tally})`, () => load.acked >= before + 100);
        await demand(others[0]?.gateway ?? '', 'put', { key: 'meanwhile', value: broken });

        switchboard.heal();
        await world.voters(members);
        await load.stop();
        await world.caughtUp(members);
        for (const { gateway } of members) expect(await load.complaints(gateway)).toEqual([]);
        // One that comes back deposes nobody: pre-votes see to it (E7).
        const terms = await Promise.all(members.map(async (one) => (await one.status()).term));
        expect(Math.max(...terms)).toBeLessThan(term + termsMax);
      }),
    ));
}

/** Three voters, each of which is dialled, and dials, through the switchboard alone. */
async function onSwitchboard(
  world: World,
  body: (switchboard: Switchboard, members: readonly MemberSeat[]) => Promise<void>,
): Promise<void> {
  const switchboard = new Switchboard();
  try {
    const relay = await world.relay();
    await relay.start();
    const relayPort = await switchboard.port('relay', relay.port);
    const seats: { label: string; own: number; front: number }[] = [];
    for (const label of ['a', 'b', 'c']) {
      const own = await freePort();
      seats.push({ label, own, front: await switchboard.port(label, own) });
    }
    const members: MemberSeat[] = [];
    for (const { label, own, front } of seats) {
      members.push(
        await world.member(label, relay, {
          relay: `ws://127.0.0.1:${relayPort}`,
          flags: ['--listen', `127.0.0.1:${own}`, '--announce', `127.0.0.1:${front}`],
          env: switchboard.environment(label),
        }),
      );
    }
    await Promise.all(members.map((member) => member.start()));
    await world.voters(members);
    for (const { label } of seats) {
      expect(switchboard.joins(label, 'relay'), `${label} reaches the relay through it`).toBe(true);
    }
    await body(switchboard, members);
  } finally {
    switchboard.close();
  }
}

function sees(status: Status, other: MemberSeat): boolean {
  return status.members.some(({ nodeId, reachable }) => nodeId === other.nodeId && reachable);
}

/** More than a busy machine may need, far below a storm: an election a second. */
const termsMax = 10;
