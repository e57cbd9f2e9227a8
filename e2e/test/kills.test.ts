/** The main promise, tried with SIGKILL: what was acknowledged stays, and nothing happens twice. */
import { expect, it } from 'vitest';
import { entries } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { inWorld } from '../src/world.ts';

const kills = 20;

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
