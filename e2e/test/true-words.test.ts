/** What the command says and does on its own: each as a process, as a shell has it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commandPath, quorate, start } from '../src/command.ts';
import { within } from '../src/wait.ts';
import { inWorld } from '../src/world.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-words-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A member that would be `shop`'s, with flags before those that are always the same. */
function node(...flags: readonly string[]): readonly string[] {
  return ['node', '--relay', 'ws://127.0.0.1:9', '--data', join(directory, 'data'), ...flags];
}

it('T29 --version tells the release', async () => {
  const text = await readFile(
    new URL('../../packages/quorate/package.json', import.meta.url),
    'utf8',
  );
  const { version } = JSON.parse(text) as { version: string };
  expect(await quorate(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

it('T29 npm start -- --help prints how it is used, and what nobody knows a sentence', async () => {
  const script = fileURLToPath(new URL('../../tools/start.mjs', import.meta.url));
  const ended = async (flag: string): Promise<readonly [unknown, string]> => {
    const child = spawn(process.execPath, [script, flag], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return [code, text];
  };
  const [code, text] = await ended('--help');
  expect([code, text.split('\n')[0]]).toEqual([
    0,
    'npm start -- [FLAGS]: a cluster to play with, on this machine',
  ]);
  const [wrong, words] = await ended('--prot');
  expect(wrong).toBe(2);
  expect(words).toMatch(/^npm start: Unknown option '--prot'/);
  expect(words).not.toContain('    at ');
});

it('T29 a relay below npx ends with it', async () => {
  // As npx does: a shell in between, which passes no signal on.
  const relay = `"${process.execPath}" "${commandPath}" relay --ephemeral --listen 127.0.0.1:0 --json`;
  const runner = spawn('sh', ['-c', `${relay} & wait`], {
    env: { ...process.env, npm_command: 'exec' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const output = runner.stdout.setEncoding('utf8');
  output.on('data', (part: string) => (text += part));
  while (!text.includes('"listening"')) await once(output, 'data');
  runner.kill('SIGTERM');
  // The pipe closes once nobody writes into it any more.
  await within('the relay ends', once(output, 'close'), 30_000, () => text);
  expect(text).toContain('{"event":"stopped"}');
});

it.each<[string, () => readonly string[], number, RegExp]>([
  [
    'a secret file that is not there',
    () => node('--namespace', 'shop', '--secret-file', 'nope'),
    2,
    /^quorate node: Cannot use --secret-file nope: there is no such file, wanted a file$/m,
  ],
  [
    'a namespace in capitals',
    () => node('--namespace', 'Shop'),
    2,
    /namespace is "Shop", wanted 1 to 64/,
  ],
  [
    'a relay of another kind',
    () => ['node', '--namespace', 'shop', '--relay', 'http://h', '--data', join(directory, 'data')],
    2,
    /Cannot use the address "http:\/\/h": wanted HOST:PORT/,
  ],
])('T29 %s: a sentence first, and nothing written', async (_name, args, code, words) => {
  const ended = await quorate(args(), { cwd: directory });
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(ended.stderr.split('\n')[0]).toMatch(words);
  expect(await readdir(directory)).toEqual([]);
});

it('T29 a ring file with a secret twice names both lines', async () => {
  const { stdout } = await quorate(['secret', 'generate']);
  const file = join(directory, 'ring');
  await writeFile(file, `# new\n${stdout}# old\n${stdout}`, { mode: 0o600 });
  const ended = await quorate(node('--namespace', 'shop', '--secret-file', file));
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('line 4 repeats line 2, wanted each once');
});

it('T29 a gateway whose port is taken: a sentence first, and nothing written', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ended = await quorate(node('--namespace', 'shop', '--gateway', `127.0.0.1:${port}`));
  server.close();
  expect(ended).toMatchObject({ code: 3, stdout: '' });
  expect(ended.stderr.split('\n')[0]).toContain(`Cannot listen on 127.0.0.1:${port} (EADDRINUSE)`);
  expect(await readdir(directory)).toEqual([]);
});

it('T29 no relay reachable: which one, why, and since when', async () => {
  const child = start([...node('--namespace', 'shop'), '--json']);
  let text = '';
  const output = child.stdout?.setEncoding('utf8');
  output?.on('data', (part: string) => (text += part));
  const said = (): boolean => /"event":"waiting"[^\n]*since/.test(text);
  while (!said()) await once(output as NodeJS.EventEmitter, 'data');
  child.kill('SIGTERM');
  await once(child, 'close');
  expect(text).toMatch(
    /"event":"waiting","reason":"FORMATION_WAITING","message":"Waiting for a relay: Cannot ask relay ws:\/\/127\.0\.0\.1:9: connection refused, since \d{4}-/,
  );
});

it('T29 put takes what is piped in, and files beyond an argument list', () =>
  inWorld(async (world) => {
    const { members } = await world.cluster(1);
    const gateway = ['--gateway', members[0]?.gateway ?? ''];
    const child = spawn(process.execPath, [commandPath, 'put', 'piped', '-', ...gateway], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end('from a pipe, ünïcode\n');
    expect((await once(child, 'close'))[0]).toBe(0);
    expect((await quorate(['get', 'piped', ...gateway])).stdout).toBe('from a pipe, ünïcode\n\n');
    const file = join(directory, 'large');
    const large = 'x'.repeat(500_000);
    await writeFile(file, large);
    expect(await quorate(['put', 'large', '--file', file, ...gateway])).toMatchObject({ code: 0 });
    expect((await quorate(['get', 'large', ...gateway])).stdout).toBe(`${large}\n`);
    const missing = await quorate(['put', 'k', '--file', 'nope', ...gateway]);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    const counter = await quorate(['put', '~counter/x', 'text', ...gateway]);
    expect(counter).toMatchObject({ code: 2, stdout: '' });
    expect(counter.stderr).toContain('what begins with ~');
    const number = await quorate(['put', 'n', '[9007199254740993]', '--json-value', ...gateway]);
    expect(number).toMatchObject({ code: 2, stdout: '' });
    expect(number.stderr).toContain('Cannot read VALUE[0]: ');
  }));
