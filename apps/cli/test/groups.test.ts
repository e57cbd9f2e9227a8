import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quorate, RunningCommand } from './command-line.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-groups-'));
});

afterEach(async () => rm(directory, { recursive: true }));

async function relayAt(
  ...flags: string[]
): Promise<{ address: string; stop: () => Promise<number> }> {
  const running = new RunningCommand(['relay', '--listen', '127.0.0.1:0', '--json', ...flags]);
  const { addresses } = await running.event(({ event }) => event === 'listening');
  const stop = async (): Promise<number> => {
    running.stop();
    return (await running.finished).code;
  };
  return { address: ((addresses as string[])[0] ?? '').split('/p2p/')[0] ?? '', stop };
}

test('Z53 relay --init with a --peer that has a register: refused, and nothing made', async () => {
  const first = await relayAt('--ephemeral', '--init', '--fresh');
  const data = join(directory, 'second');
  const flags = ['--data', data, '--init', '--listen', '127.0.0.1:0', '--peer', first.address];
  const { code, err } = await quorate(['relay', ...flags]);
  expect(code).toBe(1);
  expect(err).toContain('(CONFLICT)');
  expect(err).toContain('is a relay of group');
  expect(await readdir(directory)).toEqual([]);
  expect(await first.stop()).toBe(0);
});

test('Z53 node with several relays and no group says at its start what that means, and waits', async () => {
  const relays = await Promise.all(
    [1, 2].map(async () => relayAt('--ephemeral', '--init', '--fresh')),
  );
  const list = relays.flatMap(({ address }) => ['--relay', address]);
  const node = ['node', '--namespace', 'shop', '--ephemeral', '--gateway', '127.0.0.1:0', '--json'];
  const running = new RunningCommand([...node, ...list]);
  await expect
    .poll(() => running.err, { timeout: 20_000 })
    .toContain('Given 2 relays, and of none');
  const { gateway } = await running.event(({ event }) => event === 'started');
  const status = async (): Promise<string> =>
    (await quorate(['status', '--gateway', String(gateway)])).out;
  await expect.poll(status, { timeout: 20_000 }).toMatch(/between relays of 2 groups/);
  running.stop();
  await running.finished;
  for (const relay of relays) await relay.stop();
});

test('Z53 register complete: at the relay, whether it runs or not', async () => {
  const relay = await relayAt('--data', directory, '--init');
  const complete = ['register', 'complete', '--data', directory];
  const said = { code: 0, out: 'The register was complete all the time\n' };
  expect(await quorate(complete)).toMatchObject(said);
  await relay.stop();
  expect(await quorate(complete)).toMatchObject(said);
  expect((await quorate(['register', 'complete'])).err).toContain('--data is missing');
});
