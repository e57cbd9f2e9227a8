/** One cluster, its members started at once, used the way a person and a program use it. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { quorate, quorateJson, start } from '../src/command.ts';
import { demand, entry } from '../src/gateway.ts';
import type { Status } from '../src/gateway.ts';
import { sharedWorld } from '../src/shared.ts';
import { idsOf } from '../src/world.ts';
import type { MemberSeat, RelaySeat, World } from '../src/world.ts';

let world: World;
let relay: RelaySeat;
let members: readonly MemberSeat[];

sharedWorld(async (created) => {
  world = created;
  ({ relay, members } = await world.cluster(3));
});

function at(index: number): readonly string[] {
  const member = members[index % members.length];
  if (member === undefined) throw new Error('the cluster is not up');
  return ['--gateway', member.gateway];
}

describe('a relay and three members started at once', () => {
  it('F1 are one cluster of three voters with one leader', async () => {
    const states = await Promise.all(members.map((member) => member.status()));
    const nodeIds = members.map((member) => member.nodeId).sort();
    for (const status of states) {
      expect(status).toMatchObject({ namespace: 'e2e', phase: 'ready' });
      expect(status.clusterId).toBe(states[0]?.clusterId);
      expect(status.term).toBe(states[0]?.term);
      expect(idsOf(status.members, 'voter')).toEqual(nodeIds);
      expect(status.members.filter((member) => member.leader)).toHaveLength(1);
      expect(status.members.map((member) => member.label).sort()).toEqual(['a', 'b', 'c']);
      expect(status.members.every((member) => member.reachable)).toBe(true);
    }
    expect(states.map((status) => status.role).sort()).toEqual(['follower', 'follower', 'leader']);
  });

  it('tell their lives as events: started, role and members', async () => {
    for (const member of members) {
      const { events } = member.daemon;
      const started = events.filter(({ event }) => event === 'started');
      expect(started).toHaveLength(1);
      expect(started[0]).toEqual({
        event: 'started',
        nodeId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        peerId: expect.stringMatching(/^12D3KooW/) as string,
        addresses: expect.arrayContaining([
          expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws/),
        ]) as string[],
        gateway: member.gateway,
      });
      const status = await member.status();
      expect(events.filter(({ event }) => event === 'role').at(-1)).toEqual({
        event: 'role',
        role: status.role,
        term: status.term,
        leader: status.leader,
      });
      const told = events.filter(({ event }) => event === 'members').at(-1);
      expect(told?.['members']).toEqual(status.members);
      expect(events.filter(({ event }) => event === 'error')).toEqual([]);
    }
  });

  it('say once, aside, that a namespace without a secret is public', () => {
    for (const member of members) {
      expect(member.daemon.asides.filter((line) => line.includes('is public'))).toHaveLength(1);
    }
    expect(relay.daemon.events[0]).toMatchObject({ event: 'listening' });
  });
});

describe('put, get, del, range', () => {
  it('F11 C4 what one member wrote every member reads, whoever leads', async () => {
    for (const [index, member] of members.entries()) {
      const key = `through/${member.label}`;
      const { revision } = await quorateJson<{ revision: number }>([
        ...['put', key, `by ${member.label}`],
        ...at(index),
      ]);
      expect(revision).toBeGreaterThan(0);
      for (const other of members) {
        const { kv } = await quorateJson<{ kv: unknown }>(['get', key, '--gateway', other.gateway]);
        expect(kv).toEqual({
          key,
          value: `by ${member.label}`,
          createRevision: revision,
          modRevision: revision,
          version: 1,
        });
      }
    }
  });

  it('T29 get is exit code 1 and nothing, with --json {"kv":null}, for a key that is not there', async () => {
    expect(await quorateJson(['get', 'nobody/wrote/this', ...at(0)])).toEqual({ kv: null });
    const plain = await quorate(['get', 'nobody/wrote/this', ...at(0)]);
    expect(plain).toMatchObject({ code: 1, stdout: '' });
  });

  it('put keeps text as text, and --json-value as data, bytes too', async () => {
    await quorateJson(['put', 'value/text', '{"a":1}', ...at(0)]);
    await quorateJson([
      'put',
      'value/json',
      '{"b":[1,null,"x"],"a":1.5}',
      '--json-value',
      ...at(1),
    ]);
    await quorateJson(['put', 'value/bytes', '{"$bytes":"AQL/"}', '--json-value', ...at(2)]);
    await quorateJson(['put', 'value/dash', ...at(0), '--', '-5']);
    const value = async (key: string): Promise<unknown> =>
      (await quorateJson<{ kv: { value: unknown } }>(['get', key, ...at(2)])).kv.value;
    expect(await value('value/text')).toBe('{"a":1}');
    expect(await value('value/json')).toEqual({ a: 1.5, b: [1, null, 'x'] });
    expect(await value('value/bytes')).toEqual({ $bytes: 'AQL/' });
    expect((await quorate(['get', 'value/dash', ...at(1)])).stdout).toBe('-5\n');
  });

  it('range --json lists keys in order, with --prefix, between two keys, --limit and --keys-only', async () => {
    for (const key of ['list/b', 'list/a', 'list/c', 'lisu']) {
      await quorateJson(['put', key, key.toUpperCase(), ...at(1)]);
    }
    const range = async (...args: string[]): Promise<{ keys: string[]; more: boolean }> => {
      const result = await quorateJson<{
        kvs: { key: string; value?: string }[];
        revision: number;
        more?: boolean;
      }>(['range', ...args, ...at(2)]);
      expect(result.revision).toBeGreaterThan(0);
      for (const kv of result.kvs) {
        if (kv.value !== undefined) expect(kv.value).toBe(kv.key.toUpperCase());
      }
      return { keys: result.kvs.map((kv) => kv.key), more: result.more === true };
    };
    expect(await range('--prefix', 'list/')).toEqual({
      keys: ['list/a', 'list/b', 'list/c'],
      more: false,
    });
    expect(await range('list/a', 'list/c')).toEqual({ keys: ['list/a', 'list/b'], more: false });
    expect(await range('list/b')).toEqual({ keys: ['list/b'], more: false });
    expect(await range('--prefix', 'list/', '--limit', '2', '--keys-only')).toEqual({
      keys: ['list/a', 'list/b'],
      more: true,
    });
  });

  it('del removes one key, or all with a prefix, and counts them', async () => {
    for (const key of ['gone/1', 'gone/2', 'gone/3', 'stays']) {
      await quorateJson(['put', key, 'x', ...at(0)]);
    }
    expect(await quorateJson(['del', 'gone/2', ...at(1)])).toMatchObject({ deleted: 1 });
    expect(await quorateJson(['del', 'gone/2', ...at(1)])).toMatchObject({ deleted: 0 });
    expect(await quorateJson(['del', '--prefix', 'gone/', ...at(2)])).toMatchObject({ deleted: 2 });
    expect(await quorateJson(['get', 'gone/1', ...at(0)])).toEqual({ kv: null });
    expect(await quorateJson(['get', 'stays', ...at(0)])).toMatchObject({ kv: { value: 'x' } });
  });

  it('put --if-absent and --if-revision write only then, else CONFLICT', async () => {
    const { revision } = await quorateJson<{ revision: number }>([
      ...['put', 'cas', 'one', '--if-absent'],
      ...at(0),
    ]);
    const again = await quorate(['put', 'cas', 'two', '--if-absent', '--json', ...at(1)]);
    expect(again.code).toBe(1);
    expect(JSON.parse(again.stdout)).toMatchObject({
      error: { code: 'CONFLICT', outcome: 'not-applied' },
    });
    const stale = ['put', 'cas', 'two', '--if-revision', String(revision - 1), '--json'];
    expect((await quorate([...stale, ...at(2)])).code).toBe(1);
    await quorateJson(['put', 'cas', 'three', '--if-revision', String(revision), ...at(2)]);
    expect(await quorateJson(['get', 'cas', ...at(0)])).toMatchObject({ kv: { value: 'three' } });
  });
});

describe('watch', () => {
  it('prints one JSON line per event, in order, written through any member', async () => {
    const watch = world.daemon('watch', ['watch', '--prefix', 'seen/', '--initial', ...at(2)]);
    // `put` begins only when the watch is there for sure: its first sign is what was there before.
    await demand(members[0]?.gateway ?? '', 'put', { key: 'seen/0', value: 'before' });
    await world.until('the watch has begun', () => watchLines().length > 0);
    for (const [index, value] of ['one', 'two', 'three'].entries()) {
      await quorateJson(['put', `seen/${index + 1}`, value, ...at(index)]);
    }
    await quorateJson(['put', 'elsewhere', 'x', ...at(0)]);
    await quorateJson(['del', 'seen/1', ...at(1)]);
    await world.until('the watch has seen all', () => watchLines().length >= 5);
    watch.signal('SIGINT');
    await watch.end();

    const lines = watchLines();
    expect(lines.map(({ type, key, value }) => [type, key, value])).toEqual([
      ['put', 'seen/0', 'before'],
      ['put', 'seen/1', 'one'],
      ['put', 'seen/2', 'two'],
      ['put', 'seen/3', 'three'],
      ['delete', 'seen/1', null],
    ]);
    const revisions = lines.map((line) => line.revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(lines.every((line) => Object.keys(line).length === 4)).toBe(true);

    function watchLines(): { type: string; key: string; value: unknown; revision: number }[] {
      return watch.events as never;
    }
  });
});

describe('status, members', () => {
  it('status --json has exactly the documented fields', async () => {
    const status = await quorateJson<Status>(['status', ...at(1)]);
    expect(Object.keys(status).sort()).toEqual(
      [
        ...['namespace', 'clusterId', 'nodeId', 'phase', 'role', 'term', 'leader'],
        ...['commitIndex', 'appliedIndex', 'members'],
      ].sort(),
    );
    for (const member of status.members) {
      expect(Object.keys(member).sort()).toEqual([
        'kind',
        'label',
        'leader',
        'nodeId',
        'reachable',
      ]);
    }
    expect(status.nodeId).toBe(members[1]?.nodeId);
    const listed = await quorateJson<{ members: unknown }>(['members', ...at(1)]);
    expect(listed.members).toEqual(status.members);
  });

  it('tell a person the same in words', async () => {
    const status = await quorate(['status', ...at(0)]);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(/Cluster\s+e2e/);
    expect(status.stdout).toMatch(/Leader\s+[abc] \(/);
    expect(status.stdout.match(/voter\s+reachable/g)).toHaveLength(3);
    const put = await quorate(['put', 'greeting', 'hello', ...at(0)]);
    expect(put.stdout).toMatch(/^Written at revision \d+\n$/);
    expect((await quorate(['get', 'greeting', ...at(1)])).stdout).toBe('hello\n');
    expect((await quorate(['range', '--prefix', 'greet', ...at(2)])).stdout).toBe(
      'greeting\thello\n',
    );
    const missing = await quorate(['get', 'no such key', ...at(1)]);
    expect(missing).toMatchObject({ code: 1, stdout: '', stderr: 'There is no key no such key\n' });
  });
});

/** Above each module that a bundle holds stands where it is from. */
const libp2pInside = '/node_modules/libp2p/dist/';

describe('help, mistakes and failures', () => {
  it('--help lists every command, and every command has its own', async () => {
    const { code, stdout } = await quorate(['--help']);
    expect(code).toBe(0);
    const names = ['relay', 'node', 'status', 'members', 'leave', 'put', 'get', 'del', 'range'];
    for (const name of [...names, 'watch', 'secret']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
      const help = await quorate([name, '--help']);
      expect(help.code, name).toBe(0);
      expect(help.stdout, name).toContain(`Usage: quorate ${name}`);
    }
  });

  it('T29 a mistake is exit code 2 and a sentence, with --json an error object', async () => {
    const wrong = await quorate(['putt', 'a', 'b', ...at(0)]);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('did you mean put?');
    const cases: (readonly string[])[] = [
      ['put', 'only-a-key', ...at(0)],
      ['put', 'a', 'b'],
      ['put', 'a', '{oops', '--json-value', ...at(0)],
      ['put', '', 'empty key', ...at(0)],
      ['get', 'a', '--no-such-flag', ...at(0)],
      ['watch', '--initial', '--from', '3', ...at(0)],
      ['leave', '--node', 'zz', ...at(0)],
    ];
    for (const args of cases) {
      const { code, stdout } = await quorate([...args, '--json']);
      expect(code, args.join(' ')).toBe(2);
      const { error } = JSON.parse(stdout) as { error: Record<string, unknown> };
      expect(Object.keys(error).sort()).toEqual(['code', 'message', 'outcome']);
      expect(error, args.join(' ')).toMatchObject({ outcome: 'not-applied' });
      expect(error['code'], args.join(' ')).toMatch(/^(BAD_REQUEST|LIMIT_EXCEEDED)$/);
    }
  });

  it('nobody at the gateway is UNREACHABLE and not applied; a second gateway is tried', async () => {
    const nobody = await world.relay('nobody');
    const dead = `http://127.0.0.1:${nobody.port}`;
    const alone = await quorate(['put', 'k', 'v', '--gateway', dead, '--json']);
    expect(alone.code).toBe(3);
    expect(JSON.parse(alone.stdout)).toMatchObject({
      error: { code: 'UNREACHABLE', outcome: 'not-applied' },
    });
    await quorateJson(['put', 'k', 'v', '--gateway', dead, ...at(1)]);
  });

  it('flags can be set as variables', async () => {
    const env = { QUORATE_GATEWAY: members[0]?.gateway ?? '', QUORATE_JSON: '1' };
    const put = await quorate(['put', 'from/env', 'yes'], { env });
    expect(put.code).toBe(0);
    expect(JSON.parse(put.stdout)).toHaveProperty('revision');
    expect(await quorateJson(['get', 'from/env', ...at(2)])).toMatchObject({
      kv: { value: 'yes' },
    });
  });

  it('a member can be told everything by variables, and tells a person its life in sentences', async () => {
    const port = (await world.relay('port')).port;
    const child = start(['node'], {
      cwd: world.directory,
      env: {
        QUORATE_NAMESPACE: 'variables',
        QUORATE_RELAY: relay.address,
        QUORATE_GATEWAY: `127.0.0.1:${port}`,
        QUORATE_LABEL: 'by variables',
      },
    });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
    child.stderr?.setEncoding('utf8').on('data', (more: string) => (text += more));
    const ended = new Promise((resolve) => child.once('close', resolve));
    const show = { describe: () => text };
    await world.until('it leads', () => text.includes('Leading in term'), show);
    await quorateJson(['put', 'k', 'v', '--gateway', `127.0.0.1:${port}`]);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    for (const sentence of [
      /^Keeping data in \.\/quorate-data /m,
      /^Namespace variables is public/m,
      /^Member [0-9a-f]{8} is up$/m,
      new RegExp(`^Listening for clients on http://127.0.0.1:${port}$`, 'm'),
      /^Members: by variables$/m,
      /^Stopped$/m,
    ]) {
      expect(text).toMatch(sentence);
    }
    expect(text).not.toContain('{');
  });

  it('only relay and node load libp2p', async () => {
    const hooks =
      'export async function load(url, c, next) { process._rawDebug(url); return next(url, c) }';
    const register = `import { register } from 'node:module'; register(${JSON.stringify(asModule(hooks))})`;
    const env = { NODE_OPTIONS: `--import=${asModule(register)}` };
    /** Of the files that it loads, those that libp2p is in. */
    const withLibp2p = async (...args: string[]): Promise<string[]> => {
      const { stderr } = await quorate(args, { env });
      const files = stderr.match(/file:\S+\.js/g) ?? [];
      expect(files.length).toBeGreaterThan(1);
      return files.filter((file) => readFileSync(new URL(file), 'utf8').includes(libp2pInside));
    };
    for (const args of [
      ['status', ...at(0)],
      ['get', 'k', ...at(0)],
      ['secret', 'generate'],
    ]) {
      expect(await withLibp2p(...args), args.join(' ')).toEqual([]);
    }
    const relay = ['relay', '--listen', '127.0.0.1:0', '--data', '/dev/null/x'];
    expect(await withLibp2p(...relay)).not.toEqual([]);
  });

  it('secret generate makes a new secret each time', async () => {
    const one = await quorateJson<{ secret: string }>(['secret', 'generate']);
    const two = await quorateJson<{ secret: string }>(['secret', 'generate']);
    expect(Object.keys(one)).toEqual(['secret']);
    expect(one.secret.length).toBeGreaterThan(32);
    expect(one.secret).not.toBe(two.secret);
    expect((await quorate(['secret', 'generate'])).stdout.trim()).not.toContain(' ');
  });
});

describe('the gateway', () => {
  it('refuses a foreign Host, a foreign Origin and a page of another site; nothing is applied', async () => {
    const port = Number(new URL(members[0]?.gateway ?? '').port);
    const strangers: Record<string, string>[] = [
      { host: `evil.example:${port}` },
      { host: `127.0.0.1:${port}`, origin: 'https://evil.example' },
      { host: `127.0.0.1:${port}`, 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of strangers) {
      const { status, body } = await post(port, headers, { key: 'stolen', value: 'x' });
      expect(status, JSON.stringify(headers)).toBe(403);
      expect(JSON.parse(body)).toMatchObject({
        error: { code: 'UNAUTHORIZED', outcome: 'not-applied' },
      });
    }
    const own = { host: `localhost:${port}`, origin: `http://localhost:${port}` };
    expect((await post(port, own, { key: 'own/page', value: 'x' })).status).toBe(200);
    expect(await entry(members[1]?.gateway ?? '', 'stolen')).toBeNull();
  });

  it('bounds bodies: 413 and not applied beyond', async () => {
    const port = Number(new URL(members[0]?.gateway ?? '').port);
    const value = 'x'.repeat(3 * 1024 * 1024);
    const { status } = await post(port, { host: `127.0.0.1:${port}` }, { key: 'huge', value });
    expect(status).toBe(413);
    expect(await entry(members[1]?.gateway ?? '', 'huge')).toBeNull();
  });

  it('beyond loopback needs a token file, and then every call needs the token', async () => {
    const port = (await world.relay('port')).port;
    const common = [
      ...['node', '--namespace', 'tokens', '--relay', relay.address, '--ephemeral'],
      ...['--gateway', `0.0.0.0:${port}`],
    ];
    const refused = await quorate([...common, '--json']);
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.stdout.split('\n')[0] ?? '')).toMatchObject({
      event: 'error',
      code: 'BAD_REQUEST',
      message: expect.stringContaining('token') as string,
    });

    await writeFile(world.path('token'), '0123456789abcdef0123\n', { mode: 0o600 });
    const daemon = world.daemon('tokens', [
      ...common,
      ...['--gateway-token-file', world.path('token')],
    ]);
    await daemon.event('started', ({ event }) => event === 'started');
    const gateway = ['--gateway', `http://127.0.0.1:${port}`];
    const without = await quorate(['status', ...gateway, '--json']);
    expect(without.code).toBe(3);
    expect(JSON.parse(without.stdout)).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
    const withToken = [...gateway, '--gateway-token-file', world.path('token')];
    await quorateJson(['put', 'a', 'b', ...withToken]);
    expect(await quorateJson(['get', 'a', ...withToken])).toMatchObject({ kv: { value: 'b' } });
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

function asModule(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** By hand, for `fetch` sets these headers itself. */
async function post(
  port: number,
  headers: Readonly<Record<string, string>>,
  request: unknown,
): Promise<{ readonly status: number; readonly body: string }> {
  const { request: open } = await import('node:http');
  const text = JSON.stringify(request);
  return new Promise((resolve, reject) => {
    const outgoing = open(
      {
        ...{ host: '127.0.0.1', port, method: 'POST', path: '/v1/put', setHost: false },
        headers: { ...headers, 'content-type': 'application/json', 'content-length': text.length },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('close', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    // A gateway that has answered may close before it has read all of a refused body: what was
    // answered by then has settled this already.
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}
