/** The main promise, tried with SIGKILL: what was acknowledged stays, and nothing happens twice. */
import { expect, it } from 'vitest';
import { demand, entries, entry } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { inWorld } from '../src/world.ts';

const kills = 20;
const freezes = 4;

it(
  `F10 D8 C1 C5 K1 the leader is killed ${kills} times under load: every acknowledged write is there, counters are exact, retried writes are applied once, a watch misses nothing`,
  () =>
    inWorld(async (world) => {
      const { members } = await world.cluster(3);
      const nodeIds = members.map((member) => member.nodeId);
      const gateways = members.map((member) => member.gateway);
      const watch = world.daemon('watch', [
        ...['watch', '--prefix', 'once/', '--from', '1'],
        ...gateways.flatMap((gateway) => ['--gateway', gateway]),
      ]);
      const load = new Load(gateways);

      for (let round = 1; round <= kills; round++) {
        const leader = await world.leader(members);
        await leader.kill();
        if (round % 2 === 0) {
          // Every other time the two that are left write for a while before it is back.
          const before = load.acked;
          await world.until(
            `two of three write on after kill ${round} (${load.tally})`,
            () => load.acked >= before + 20,
          );
        }
        await leader.start();
        await world.voters(members);
        await world.caughtUp(members);
      }
      await load.stop();

      expect(members.map((member) => member.nodeId)).toEqual(nodeIds);
      await world.caughtUp(members);
      for (const member of members) expect(await load.complaints(member.gateway)).toEqual([]);
      expect(load.acked).toBeGreaterThan(kills * 10);
      const [first, ...others] = await Promise.all(
        gateways.map((gateway) => entries(gateway, '', 'local')),
      );
      for (const other of others) expect(other).toEqual(first);

      const marks = (first ?? [])
        .filter((kv) => kv.key.startsWith('once/'))
        .sort((a, b) => a.modRevision - b.modRevision)
        .map((kv) => `${kv.modRevision} ${kv.key}`);
      await world.until('the watch has seen every mark', () => watch.events.length >= marks.length);
      expect(watch.events.map(({ revision, key }) => `${String(revision)} ${String(key)}`)).toEqual(
        marks,
      );
      console.log(`${kills} kills: ${load.tally}`);
    }),
  900_000,
);

it('R4 R6 E7 C5 the leader is frozen under load and thawed: others lead on, it answers nothing stale', () =>
  inWorld(async (world) => {
    const { members } = await world.cluster(3);
    const load = new Load(members.map((member) => member.gateway));
    for (let round = 1; round <= freezes; round++) {
      const leader = await world.leader(members);
      const { term } = await leader.status();
      leader.daemon.signal('SIGSTOP');
      const rest = members.filter((member) => member !== leader);
      await world.until('another one leads', async () => {
        const states = await Promise.all(rest.map((member) => member.status()));
        return states.every((status) => status.leader !== null && status.term > term);
      });
      const { value } = await demand<{ value: number }>(rest[0]?.gateway ?? '', 'increment', {
        key: 'meanwhile',
      });
      expect(value).toBe(round);
      // Asked while it sleeps, answered when it wakes, and believes for a moment that it leads.
      const asked = entry(leader.gateway, 'meanwhile');
      leader.daemon.signal('SIGCONT');
      expect(await asked).toMatchObject({ value: round });
      await world.voters(members);
    }
    await load.stop();
    await world.caughtUp(members);
    for (const member of members) expect(await load.complaints(member.gateway)).toEqual([]);
  }));
