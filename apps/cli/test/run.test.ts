import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { commands } from '../src/commands.ts';
import { quorate } from './command-line.ts';

describe('run()', () => {
  test('T29 without a command: the overview, and code 2; with --help code 0', async () => {
    const bare = await quorate([]);
    expect(bare.code).toBe(2);
    const asked = await quorate(['--help']);
    expect(asked).toEqual({ code: 0, out: bare.out, err: '' });
    for (const { name } of commands) expect(bare.out).toContain(`  ${name}`);
  });

  test.each(commands.map(({ name }) => name))('%s --help names each of its flags', async (name) => {
    const { code, out } = await quorate([name, '--help']);
    expect(code).toBe(0);
    for (const flag of commands.find((command) => command.name === name)?.flags ?? []) {
      expect(out).toContain(`--${flag.name}`);
    }
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  test('an unknown command or flag: code 2, the nearest one, and where to look', async () => {
    expect(await quorate(['statsu'])).toEqual({
      ...{ code: 2, out: '' },
      err: 'quorate: Unknown command statsu, did you mean status?\nSee: quorate --help\n',
    });
    expect((await quorate(['put', 'a', 'b', '--if-absnt'])).err).toBe(
      'quorate put: Unknown flag --if-absnt, did you mean --if-absent?\nSee: quorate put --help\n',
    );
  });

  test('a failure with --json is one line of JSON on stdout', async () => {
    const { code, out, err } = await quorate(['get', 'a', '--json']);
    expect(code).toBe(2);
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({
      error: {
        code: 'BAD_REQUEST',
        outcome: 'not-applied',
        message: '--gateway is missing: wanted the address of a member that serves one',
      },
    });
  });

  test('a long-running command tells its failure as an event', async () => {
    const { code, out } = await quorate(['node', '--json', '--namespace', 'n']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      event: 'error',
      code: 'BAD_REQUEST',
      message: '--relay is missing',
    });
  });

  test.each([
    [['node', '--relay', 'x:1'], '--namespace is missing'],
    [['node', '--namespace', 'n', '--relay', 'x:1', '--data', 'd', '--ephemeral'], 'not both'],
    [['node', '--namespace', 'n', '--relay', 'x:1', '--gateway', 'nowhere'], 'wanted HOST:PORT'],
    [['node', '--namespace', 'n', '--relay', 'x:1', '--gateway-cors', 'a'], 'need it'],
    [['node', '--namespace', 'n', '--relay', 'x'], 'wanted HOST:PORT'],
    [['relay', '--data', 'd', '--ephemeral'], 'not both'],
    [['relay', 'extra'], 'Unexpected argument extra'],
    [['put', 'a'], 'VALUE is missing'],
    [['put', 'a', '{', '--json-value', '--gateway', 'x:1'], 'wanted JSON'],
    [['range', 'a', 'b', '--prefix', '--gateway', 'x:1'], 'not both'],
    [['watch', '--initial', '--from', '1', '--gateway', 'x:1'], 'not both'],
    [['secret', 'show'], 'wanted generate or topic'],
    [['secret', 'topic'], '--namespace is missing'],
    [['node', '--namespace', 'n', '--relay', 'http://h'], 'Cannot use the address "http://h"'],
    [['node', '--namespace', 'n', '--relay', ''], 'wanted HOST:PORT'],
    [['node', '--namespace', 'n', '--relay', 'ws://h/path'], 'wanted HOST:PORT'],
    [['node', '--namespace', 'n', '--relay', 'x:1', '--listen', 'http://h'], 'wanted HOST:PORT'],
    [['put', 'a', 'b', '--file', 'f', '--gateway', 'x:1'], 'Wanted VALUE or --file, not both'],
  ])('%j is refused: %s', async (args, message) => {
    const { code, err } = await quorate(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  test('secret generate: another one each time', async () => {
    const { out } = await quorate(['secret', 'generate']);
    expect(out).toMatch(/^qs1_[\w-]{48}\n$/);
    const json = JSON.parse((await quorate(['secret', 'generate', '--json'])).out) as object;
    expect(json).toEqual({ secret: expect.stringMatching(/^qs1_[\w-]{48}$/) as string });
    expect(json).not.toEqual({ secret: out.trim() });
  });

  test('a gateway that is not there: UNREACHABLE, nothing applied', async () => {
    const gateway = `127.0.0.1:${await unusedPort()}`;
    const { code, out } = await quorate(['put', 'a', 'b', '--json', '--gateway', gateway]);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      error: { code: 'UNREACHABLE', outcome: 'not-applied' },
    });
  });
});

/** A port that somebody had just now, and nobody has any more. */
async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
