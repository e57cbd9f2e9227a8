import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quorate } from './command-line.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-secret-'));
  file = join(directory, 'shop.secret');
});

afterEach(async () => rm(directory, { recursive: true }));

describe('secret generate --out', () => {
  test('T28 makes a file that its owner alone can read, and prints no secret', async () => {
    const made = await quorate(['secret', 'generate', '--out', file]);
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).not.toContain('qs1_');
    expect(await readFile(file, 'utf8')).toMatch(/^qs1_[\w-]{48}\n$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('T28 refuses a file that is there, and leaves it as it is', async () => {
    await writeFile(file, 'mine');
    const { code, err } = await quorate(['secret', 'generate', '--out', file]);
    expect(code).toBe(2);
    expect(err).toContain('it is there already, wanted a new file');
    expect(await readFile(file, 'utf8')).toBe('mine');
  });
});

describe('a file of secrets', () => {
  const topic = (...flags: string[]): ReturnType<typeof quorate> =>
    quorate(['secret', 'topic', '--namespace', 'shop', '--secret-file', file, ...flags]);

  test.each(['0644', '0640', '0604', '0620'])(
    'T28 is refused with permissions %s, as ssh does, unless --insecure-file says so',
    async (mode) => {
      await quorate(['secret', 'generate', '--out', file]);
      await chmod(file, Number.parseInt(mode, 8));
      const { code, err } = await topic();
      expect(code).toBe(2);
      expect(err).toContain(`its permissions ${mode} let others read it; chmod 600 ${file}`);
      expect((await topic('--insecure-file')).code).toBe(0);
      await chmod(file, 0o400);
      expect((await topic()).code).toBe(0);
    },
  );

  test('T28 the same holds for a file of tokens', async () => {
    await writeFile(file, 'a-token-of-some-length');
    await chmod(file, 0o644);
    const args = ['status', '--gateway', '127.0.0.1:1', '--gateway-token-file', file];
    expect(await quorate(args)).toMatchObject({ code: 2 });
    expect(await quorate([...args, '--insecure-file'])).toMatchObject({ code: 3 });
  });

  test('T28 secret topic: what a relay knows the namespace by, one a line, none like another', async () => {
    await quorate(['secret', 'generate', '--out', file]);
    const { out } = await topic();
    expect(out).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await topic()).out).toBe(out);
    await writeFile(file, `${await readFile(file, 'utf8')}public\n`);
    const lines = (await topic()).out.split('\n');
    const open = await quorate(['secret', 'topic', '--namespace', 'shop']);
    expect(lines).toEqual([out.trim(), open.out.trim(), '']);
    expect(open.out).not.toBe(out);
  });
});

describe('a public namespace', () => {
  /** Gets as far as the gateway, which is refused without a token, or not even there. */
  const node = (...flags: string[]): ReturnType<typeof quorate> =>
    quorate([
      ...['node', '--namespace', 'shop', '--ephemeral', '--gateway', '0.0.0.0:0'],
      ...flags,
    ]);

  test.each([
    [['--relay', 'ws://192.0.2.1:7700']],
    [['--relay', 'wss://relay.example.com']],
    [['--relay', 'wss://localhost.example.com']],
    [['--relay', '/ip4/192.0.2.1/tcp/1/ws']],
    [['--relay', '127.0.0.1:1', '--listen', '0.0.0.0:7900']],
    [['--relay', '127.0.0.1:1', '--announce', 'wss://one.example.com']],
  ])('T28 beyond loopback needs --public: %j', async (flags) => {
    const { code, err } = await node(...flags);
    expect(code).toBe(2);
    expect(err).toContain('Cannot use a public namespace at');
    expect(err).toContain('or --public if that is meant');
    expect((await node(...flags, '--public')).err).toContain('without a token');
  });

  test('T28 also where a file says that it is public, as its last line', async () => {
    await quorate(['secret', 'generate', '--out', file]);
    const flags = ['--relay', 'wss://relay.example.com', '--secret-file', file];
    expect((await node(...flags)).err).toContain('without a token');
    await writeFile(file, `${await readFile(file, 'utf8')}public\n`);
    expect((await node(...flags)).err).toContain('Cannot use a public namespace');
  });

  test.each(['127.0.0.1:1', 'ws://localhost:1', '/ip4/127.0.0.1/tcp/1/ws', 'ws://[::1]:1'])(
    'T28 on this machine it needs nothing: %s',
    async (relay) => {
      expect((await node('--relay', relay)).err).toContain('without a token');
    },
  );
});
