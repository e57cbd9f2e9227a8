/** A member that was away longer than the log reaches back. */
import { expect, it } from 'vitest';
import { demand, entries, entry, metric } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';

const writes = 11_000;
const keys = 500;

it('S6 S4 a member away while the log was compacted catches up by snapshot, restarts from it, and can lead', () =>
  inWorld(async (world) => {
    const { members } = await world.cluster(3);
    const leader = await world.leader(members);
    const [away, other] = members.filter((member) => member !== leader);
    if (away === undefined || other === undefined) throw new Error('there are no followers');
    await demand(away.gateway, 'put', { key: 'before', value: 'x' });
    await away.kill();
    const lastIndex = (await leader.status()).commitIndex;

    await writeMany(leader.gateway);
    await world.until('the log is compacted beyond what it has', async () => {
      const firstIndex = (await metric(leader.gateway, 'quorate_first_index')) ?? 0;
      return firstIndex > lastIndex + 1 || undefined;
    });

    await away.start();
    await world.voters(members);
    await world.caughtUp(members);
    expect(await metric(away.gateway, 'quorate_snapshot_index')).toBeGreaterThan(lastIndex);
    const expected = await entries(leader.gateway, '', 'local');
    expect(expected).toHaveLength(keys + 1);
    expect(await entries(away.gateway, '', 'local')).toEqual(expected);

    // What it installed is on its disk, and good enough to go on from without the others' help.
    await away.kill();
    await away.start();
    await world.voters(members);
    await leader.kill();
    await world.leader([away, other]);
    await demand(away.gateway, 'put', { key: 'after', value: 'y' });
    expect(await entry(other.gateway, 'after')).toMatchObject({ value: 'y' });
    expect(await entries(away.gateway, 'n/', 'local')).toEqual(
      expected.filter((kv) => kv.key.startsWith('n/')),
    );
  }));

/** Many calls in one request: each is an entry of the log. */
async function writeMany(gateway: string): Promise<void> {
  for (let at = 0; at < writes; at += 500) {
    const calls = Array.from({ length: 500 }, (_, n) => ({
      name: 'put',
      request: { key: `n/${(at + n) % keys}`, value: at + n },
      timeoutMs: 50_000,
    }));
    const response = await fetch(`${gateway}/v1/calls`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ calls }),
    });
    const answers = (await response.text()).trim().split('\n');
    expect(answers).toHaveLength(500);
    for (const line of answers) expect(JSON.parse(line)).toHaveProperty('result');
  }
}
