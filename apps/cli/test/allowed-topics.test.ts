import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quorate, RunningCommand } from './command-line.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-allow-'));
  file = join(directory, 'topics');
});

afterEach(async () => rm(directory, { recursive: true }));

const relay = ['relay', '--ephemeral', '--init', '--fresh', '--listen', '127.0.0.1:0', '--json'];

async function topicOf(namespace: string): Promise<string> {
  return (await quorate(['secret', 'topic', '--namespace', namespace])).out.trim();
}

test('T21 T29 what is no topic is refused, with the line that has it', async () => {
  await writeFile(file, `# ours\n${await topicOf('shop')}\nshop\n`);
  for (const [flags, words] of [
    [['--allow', 'shop'], 'Cannot use --allow shop: wanted the 64 digits'],
    [['--allow-file', file], `Cannot use --allow-file ${file}: line 3 is no topic: wanted the 64`],
    [['--allow-file', join(directory, 'none')], 'there is no such file'],
  ] as const) {
    const { code, out } = await quorate([...relay, ...flags]);
    expect(code).toBe(2);
    expect(out).toContain(words);
  }
});

test('T21 a member of another namespace says NOT_ALLOWED and waits, until SIGHUP after the list has it', async () => {
  await writeFile(file, `${await topicOf('other')}\n`);
  const running = new RunningCommand([...relay, '--allow-file', file]);
  const { addresses } = await running.event(({ event }) => event === 'listening');
  const address = (addresses as string[])[0] ?? '';
  const node = new RunningCommand([
    ...['node', '--namespace', 'shop', '--relay', address, '--data', join(directory, 'data')],
    '--json',
  ]);
  const refused = await node.event(({ code }) => code === 'NOT_ALLOWED');
  expect(refused['message']).toContain('this relay serves the namespaces of a list');

  await writeFile(file, 'nonsense\n');
  process.emit('SIGHUP');
  await expect.poll(() => running.err, { timeout: 20_000 }).toContain('the list of before stays');
  await writeFile(file, `${await topicOf('other')}\n${await topicOf('shop')}\n`);
  process.emit('SIGHUP');
  await node.event(({ event, role }) => event === 'role' && role === 'leader');
  expect(running.err).toContain('Serving 2 topics now');
  node.stop();
  await node.finished;
  running.stop();
  expect((await running.finished).code).toBe(0);
  expect(process.listenerCount('SIGHUP')).toBe(0);
});
