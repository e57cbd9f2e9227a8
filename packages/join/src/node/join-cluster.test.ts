import { getEventListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseSecret } from '@quorate/crypto';
import type { Cluster } from '../cluster.ts';
import { createSecret } from '../secret.ts';
import { joinCluster } from './join-cluster.ts';
import type { JoinOptions } from '../options.ts';

const opened: Cluster[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const cluster of opened.splice(0)) await cluster.close();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

function isolated(options: Partial<JoinOptions> = {}): Cluster {
  const cluster = joinCluster({
    namespace: 'test',
    storage: 'memory',
    formation: 'isolated',
    label: 'alone',
    ...options,
  });
  opened.push(cluster);
  return cluster;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-join-'));
  directories.push(directory);
  return directory;
}

describe('joinCluster()', () => {
  test.each([
    [{ origins: ['app.example.com'] }, 'origins[0] is "app.example.com", wanted an origin such as'],
    [
      { trustedProxies: ['10.0.0.0/33'] },
      'trustedProxies[0] is "10.0.0.0/33", wanted an IP address',
    ],
    [{ certificate: { cert: '' } }, 'certificate is an object, wanted what readCertificate()'],
  ])('T24 T29 %j is a TypeError at once, naming the wanted form', (options, words) => {
    expect(() => isolated(options as Partial<JoinOptions>)).toThrow(TypeError);
    expect(() => isolated(options as Partial<JoinOptions>)).toThrow(words);
  });

  test('T13 a signal that lives on is let go at close(), and carries one listener for many watches', async () => {
    const { signal } = new AbortController();
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    const cluster = isolated({ signal });
    const watches = Array.from({ length: 11 }, (_, at) =>
      cluster.kv.watch({ key: `k${at}`, signal }),
    );
    await Promise.all(watches.map((_, at) => cluster.kv.put(`k${at}`, at, { signal })));
    expect(listeners()).toBe(1);
    for (const watch of watches) await watch[Symbol.asyncIterator]().return?.();
    expect(listeners()).toBe(1);
    await cluster.close();
    expect(listeners()).toBe(0);
  });

  test.each<[string, unknown]>([
    ['no options', undefined],
    ['an empty namespace', { namespace: '' }],
    ['a namespace in capitals', { namespace: 'Board' }],
    ['a namespace of 65 characters', { namespace: 'a'.repeat(65) }],
    ['a label that is no text', { namespace: 'a', label: 7 }],
    ['an unknown formation', { namespace: 'a', formation: 'alone' }],
    ['relays that are no list', { namespace: 'a', relays: 'ws://127.0.0.1:1', secret: 'public' }],
    ['relays without a secret', { namespace: 'a', relays: ['ws://127.0.0.1:1'] }],
    ['a timeout of 0', { namespace: 'a', writeTimeoutMs: 0 }],
    ['an even number of voters', { namespace: 'a', policy: { maxVoters: 4 } }],
    ['Node without relays', { namespace: 'a', storage: 'memory' }],
    [
      'a secret with a typo',
      { namespace: 'a', storage: 'memory', formation: 'isolated', secret: 'qs1_x' },
    ],
  ])('throws at once for %s', (_name, options) => {
    expect(() => joinCluster(options as JoinOptions)).toThrow(/^Cannot /);
  });

  const ours = createSecret();
  const valid = { namespace: 'a', storage: 'memory', formation: 'isolated' };
  test.each<[object, string]>([
    [{ relay: ['ws://h'] }, 'there is no option relay, did you mean relays?'],
    [{ vote: 'always' }, 'vote is "always", wanted auto or never'],
    [{ storage: 'disk' }, 'storage is "disk", wanted auto or memory'],
    [{ policy: { electionTimeout: 5 } }, 'did you mean policy.electionTimeoutMsMin?'],
    [{ limits: { pendingWrite: 5 } }, 'did you mean limits.pendingWrites?'],
    [{ limits: { pendingReads: 0 } }, 'limits.pendingReads is 0, wanted an integer from 1'],
    [{ policy: { voting: 'all' } }, 'policy.voting is "all", wanted auto, anchors or everyone'],
    [{ slots: 2 }, 'slots is 2, wanted 1, 3 or 5'],
    [{ formation: 'join ' }, 'formation is "join ", wanted auto, join, isolated or new'],
    [{ relays: ['http://h'], secret: 'public' }, 'relays[0] is "http://h", wanted ws://host'],
    [{ relays: ['ws://h', 'h:1'], secret: 'public' }, 'relays[1] is "h:1", wanted ws://host'],
    [{ relays: [''], secret: 'public' }, 'relays[0] is "", wanted ws://host'],
    [{ relays: ['ws://h/path'], secret: 'public' }, 'relays[0] is "ws://h/path", wanted ws://'],
    [{ relays: ['ws://h#short'], secret: 'public' }, 'behind # perhaps a group of 32 hex digits'],
    [{ listen: ['0.0.0.0:7900'] }, 'listen[0] is "0.0.0.0:7900", wanted ws://host'],
    [{ announce: ['h:1'] }, 'announce[0] is "h:1", wanted ws://host'],
    [{ peers: 'ws://h' }, 'peers is "ws://h", wanted a list of ws://host'],
    [{ iceServers: [{ url: 'stun:h' }] }, 'did you mean iceServers[0].urls?'],
    [{ secret: 12345 }, 'secret is number, wanted the text'],
    [{ secret: [] }, 'secret is object, wanted the text'],
    [{ secret: [ours, 'public', ` ${ours}\n`] }, 'secret 3 of the list repeats secret 1'],
    [{ secret: [ours, parseSecret(ours)] }, 'secret 2 repeats secret 1, wanted each once'],
    [{ writeTimeoutMs: '5' }, 'writeTimeoutMs is "5", wanted a number of milliseconds'],
    [{ dataDir: '' }, 'dataDir is "", wanted the path of a directory'],
    [{ zone: 'a/b' }, 'zone is "a/b", wanted 1 to 48 characters'],
    [{ signal: true }, 'signal is true, wanted an AbortSignal'],
  ])('T29 refuses %j at once: %s', (options, words) => {
    expect(() => joinCluster({ ...valid, ...options } as never)).toThrow(words);
  });

  const unreadable = ['/ip4/999.0.0.1/tcp/1/ws'];
  test.each<[string, Partial<JoinOptions>]>([
    ['listens', { listen: unreadable }],
    ['announces', { announce: unreadable }],
    ['dials', { peers: unreadable }],
    ['meets others', { relays: unreadable, secret: 'public', formation: 'join' }],
  ])(
    'T29 an address that only the network cannot read is no broken invariant: it %s',
    async (_, options) => {
      const cluster = isolated(options);
      await expect(cluster.ready()).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: expect.stringContaining('/ip4/999.0.0.1/tcp/1/ws') as string,
      });
    },
  );

  test('T29 leave(), close() and ready() refuse what nobody knows, and do nothing', async () => {
    const cluster = isolated();
    await cluster.ready();
    const { nodeId } = cluster.status;
    const leave = cluster.leave({ node: 'x' } as never);
    await expect(leave).rejects.toThrow(
      new TypeError('Cannot leave: there is no option node, did you mean nodeId?'),
    );
    await expect(cluster.ready({ timeoutMs: 5 } as never)).rejects.toThrow(TypeError);
    const handle = cluster as unknown as { close(options: object): Promise<void> };
    await expect(handle.close({ handOver: false })).rejects.toThrow(TypeError);
    expect(() => cluster.on('memberz' as never, () => undefined)).toThrow('wanted role, members');
    expect(cluster.status).toMatchObject({ phase: 'ready', nodeId });
    await cluster.kv.put('still', 'here');
  });

  test.each<[string, Partial<JoinOptions>]>([
    ['secret', { secret: createSecret() }],
    ['policy', { policy: { maxVoters: 3 } }],
    ['slots', { slots: 5 }],
  ])('T4 a second join with another %s is a TypeError', (name, options) => {
    isolated({ secret: 'public' });
    expect(() => isolated(options)).toThrow(`with different ${name}`);
  });

  test('T4 a second join with another storage of the same directory is a TypeError', async () => {
    const dataDir = await temporaryDirectory();
    isolated({ dataDir, storage: 'auto' });
    expect(() => isolated({ dataDir })).toThrow('with different storage');
  });

  test('T4 a second join that says the same in other words shares the member', async () => {
    const secret = createSecret();
    const bytes = parseSecret(secret);
    const first = isolated({
      secret,
      policy: { maxVoters: 5 },
      signal: new AbortController().signal,
    });
    const second = isolated({ secret: [bytes], policy: {} });
    const third = isolated({
      secret: ` ${secret}\n`,
      slots: 3,
      policy: { maxVoters: undefined } as object,
    });
    await first.kv.put('a', 1);
    expect([second.kv.peek('a'), third.kv.peek('a')]).toEqual([1, 1]);
  });

  test('B14 starts nothing on a rendering server', async () => {
    const cluster = joinCluster({ namespace: 'test' });
    expect(cluster.status).toMatchObject({ phase: 'server', canWrite: false, reason: 'SERVER' });
    await expect(cluster.kv.put('a', 1)).rejects.toMatchObject({ code: 'SERVER' });
    await expect(cluster.ready()).rejects.toMatchObject({ code: 'SERVER' });
    expect(cluster.kv.peek('a')).toBeUndefined();
    await cluster.close();
  });

  test('T6 who has not joined reads nothing locally, exports nothing and takes no write', async () => {
    const waiting = isolated({ formation: 'auto', relays: ['ws://127.0.0.1:1'], secret: 'public' });
    const notJoined = {
      code: expect.stringMatching(/^(NO_LEADER|FORMATION_WAITING)$/) as string,
      outcome: 'not-applied',
      message: expect.stringContaining('has not joined yet') as string,
    };
    for (let look = 0; look < 3; look++) {
      const local = { consistency: 'local' } as const;
      await expect(waiting.kv.get('a', local)).rejects.toMatchObject(notJoined);
      await expect(waiting.kv.getEntry('a', local)).rejects.toMatchObject(notJoined);
      await expect(waiting.kv.range({ prefix: '', ...local })).rejects.toMatchObject(notJoined);
      expect(waiting.status.canWrite).toBe(false);
    }
    const alone = isolated({ namespace: 'alone' });
    await alone.ready();
    expect(alone.status.canWrite).toBe(true);
    expect(await alone.kv.get('a', { consistency: 'local' })).toBeUndefined();
  });

  test('queues calls until the member is ready, in order', async () => {
    const cluster = isolated();
    expect(cluster.status.phase).not.toBe('ready');
    const clicks = cluster.counter('clicks');
    const writes = [clicks.add(1), clicks.add(1), cluster.kv.put('last', 'put')];
    await Promise.all(writes);
    expect(await clicks.get()).toBe(2);
    expect(await cluster.kv.get('last')).toBe('put');
    expect(cluster.status).toMatchObject({ phase: 'ready', canWrite: true, durability: 'memory' });
    expect(cluster.explain()).toContain('alone leads 1 member');
  });

  test('B14 shares one member between two calls; the last close ends it', async () => {
    const first = isolated();
    const second = isolated();
    await first.kv.put('shared', 1);
    expect(await second.kv.get('shared')).toBe(1);
    await first.close();
    await expect(first.ready()).rejects.toMatchObject({ code: 'CLOSED' });
    await second.kv.put('shared', 2);
    await second.close();
    expect(second.status.phase).toBe('stopped');
    await expect(second.kv.put('shared', 3)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('refuses a second call that wants something else of the same member', () => {
    isolated();
    expect(() =>
      joinCluster({
        namespace: 'test',
        storage: 'memory',
        label: 'alone',
        relays: ['ws://127.0.0.1:9'],
        secret: 'public',
      }),
    ).toThrow(TypeError);
  });

  test('closes with its signal', async () => {
    const controller = new AbortController();
    const cluster = isolated({ signal: controller.signal });
    await cluster.ready();
    controller.abort();
    await cluster.close();
    expect(cluster.status.phase).toBe('stopped');
  });

  test('subscribe() calls back at once and with each change, as new objects', async () => {
    const cluster = isolated();
    const seen: object[] = [];
    const end = cluster.subscribe((status) => seen.push(status));
    expect(seen).toHaveLength(1);
    await cluster.ready();
    await cluster.kv.put('a', 1);
    expect(cluster.getSnapshot()).toBe(cluster.status);
    expect(seen.length).toBeGreaterThan(1);
    end();
  });

  test('F8 a restarted member has its identity and its state, shown before anybody leads', async () => {
    const dataDir = await temporaryDirectory();
    const before = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
    await before.kv.put('kept', 'yes');
    const { nodeId } = before.status;
    await before.close();
    const after = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
    opened.push(after);
    const firstSeen = await new Promise<unknown>((resolve) => {
      const end = after.kv.live('kept').subscribe((value) => {
        if (value === undefined) return;
        resolve(value);
        queueMicrotask(() => {
          end();
        });
      });
    });
    expect(firstSeen).toBe('yes');
    await after.ready();
    expect(after.status.nodeId).toBe(nodeId);
    expect(await after.kv.get('kept')).toBe('yes');
    expect(after.status.durability).toBe('disk');
  });

  test('T4 Z42 a directory opens for its own secret only, and shows nothing to another', async () => {
    const dataDir = await temporaryDirectory();
    const [own, other] = [createSecret(), createSecret()];
    const join = (secret: NonNullable<JoinOptions['secret']>): Cluster => {
      const cluster = joinCluster({ namespace: 'test', formation: 'isolated', dataDir, secret });
      opened.push(cluster);
      return cluster;
    };
    const owner = join(own);
    await owner.kv.put('kept', 'private');
    const { nodeId } = owner.status;
    await owner.close();
    for (const secret of [other, 'public', [other, createSecret()]] as const) {
      const stranger = join(secret);
      await expect(stranger.ready()).rejects.toMatchObject({ code: 'BAD_SECRET' });
      expect(stranger.status).toMatchObject({
        phase: 'stopped',
        reason: 'BAD_SECRET',
        nodeId: null,
      });
      expect(stranger.kv.peek('kept')).toBeUndefined();
      await expect(stranger.kv.get('kept', { consistency: 'linearizable' })).rejects.toThrow();
      await stranger.close();
    }
    const heir = join([other, own]);
    await heir.ready();
    expect(await heir.kv.get('kept')).toBe('private');
    expect(heir.status.nodeId).toBe(nodeId);
    expect(heir.status.raft.epoch).toBe(2);
  });

  test('D6 a directory in use is refused, and its owner goes on', async () => {
    const dataDir = await temporaryDirectory();
    const owner = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
    opened.push(owner);
    await owner.ready();
    // As another copy of the package would: past the registry of this one.
    const registry = (globalThis as unknown as Record<symbol, Map<string, unknown>>)[
      Symbol.for('quorate')
    ];
    const kept = [...(registry ?? [])];
    registry?.clear();
    const intruder = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
    await expect(intruder.ready()).rejects.toMatchObject({ code: 'STORAGE_LOCKED' });
    expect(intruder.status.message).not.toBe('');
    await intruder.close();
    for (const [key, value] of kept) registry?.set(key, value);
    await owner.kv.put('still', 'here');
    expect(await owner.kv.get('still')).toBe('here');
  });

  test('on() tells roles, members and what ended the member', async () => {
    const cluster = isolated();
    const roles: string[] = [];
    cluster.on('role', ({ role }) => roles.push(role));
    const counts: number[] = [];
    cluster.on('members', ({ members }) => counts.push(members.length));
    await cluster.kv.put('a', 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(roles).toContain('leader');
    expect(counts.at(-1)).toBe(1);
  });
});
