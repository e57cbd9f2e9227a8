import { startGateway } from '@quorate/gateway';
import type { Gateway } from '@quorate/gateway';
import { joinCluster } from '@quorate/join';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quorate } from './command-line.ts';

type Cluster = ReturnType<typeof joinCluster>;

let home = '';
let cluster: Cluster;
let gateway: Gateway;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'quorate-cli-'));
  cluster = joinCluster({ namespace: 'shop', formation: 'isolated', dataDir: join(home, 'data') });
  gateway = await startGateway(cluster);
  // A busy machine takes its time to load the network.
  await cluster.ready();
  await cluster.kv.put('greeting', 'hello');
  await cluster.kv.put('bytes', new Uint8Array([1, 2, 3]));
  await cluster.counter('clicks').add(5);
});

afterAll(async () => {
  await gateway.close({ graceMs: 0 });
  await cluster.close();
  await rm(home, { recursive: true, force: true });
});

const path = (name: string): string => join(home, name);
const at = (): readonly string[] => ['--gateway', gateway.url];

describe('quorate backup and restore', () => {
  test('T2 print what is in the backup; the restored directory is a member of a new cluster', async () => {
    const file = path('shop.backup');
    const backup = await quorate(['backup', file, ...at()]);
    expect(backup).toMatchObject({ code: 0, err: '' });
    expect(backup.out).toContain('Backup of shop: 3 keys at revision 3');
    expect(backup.out).toMatch(/SHA-256 [0-9a-f]{64}\n$/);
    expect(await readdir(home)).not.toContain('shop.backup.partial');
    const bare = ['restore', file, '--data', path('restored'), '--above', '3'];
    // Nobody is here to be asked.
    expect(await quorate(bare)).toMatchObject({ out: '' });
    expect((await quorate(bare)).err).toContain('--yes is missing');
    expect(await readdir(home)).not.toContain('restored');
    const restore = await quorate([...bare, '--yes', '--json']);
    expect(restore.code, restore.err).toBe(0);
    expect(JSON.parse(restore.out)).toMatchObject({ generation: 2, backup: { keys: 3 } });
    const member = joinCluster({
      namespace: 'shop',
      formation: 'isolated',
      dataDir: path('restored'),
    });
    expect(await member.kv.get('greeting')).toBe('hello');
    expect(await member.counter('clicks').get()).toBe(5);
    await member.close();
  });

  test('T2 a backup whose connection breaks leaves nothing, and what was there before', async () => {
    const file = path('kept.backup');
    await writeFile(file, 'the last one');
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.write('QRTBAKUP', () => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { code, err } = await quorate(['backup', file, '--gateway', `127.0.0.1:${port}`]);
    expect(code).not.toBe(0);
    expect(err).toContain('UNREACHABLE');
    // What ends early without saying so is found out, too.
    server.removeAllListeners('request');
    server.on('request', (_request, response) => response.end('QRTBAKUP'));
    const cut = await quorate(['backup', file, '--gateway', `127.0.0.1:${port}`]);
    expect(cut.err).toContain('BACKUP_CORRUPT');
    expect(await readFile(file, 'utf8')).toBe('the last one');
    expect(await readdir(home)).not.toContain('kept.backup.partial');
    await new Promise((resolve) => server.close(resolve));
  });

  test.each([
    [['backup', 'f'], '--gateway is missing'],
    [['backup', 'f', '--gateway', 'a:1', '--data', 'd'], 'not both'],
    [['backup', 'f', '--gateway', 'a:1', '--archive', 'x'], 'are for --data'],
    [['restore', 'f'], '--data is missing'],
    [['restore', 'f', '--data', 'd', '--secret-file', 's'], '--relay is missing'],
    [['restore'], 'FILE is missing'],
    [['import'], 'FILE is missing'],
    [['export', 'f', '--prefx', 'a'], 'did you mean --prefix?'],
  ])('T2 %j says %s', async (args, words) => {
    const { code, err } = await quorate(args);
    expect(code).not.toBe(0);
    expect(err).toContain(words);
  });

  test('T2 what cannot be restored is named: a missing file, a damaged one', async () => {
    const data = ['--data', path('never'), '--above', '1', '--yes'];
    const missing = await quorate(['restore', path('nowhere'), ...data]);
    expect(missing.err).toContain('nowhere');
    expect(missing.err).toContain('BACKUP_CORRUPT');
    await writeFile(path('empty'), '');
    expect((await quorate(['restore', path('empty'), ...data])).err).toContain('BACKUP_CORRUPT');
    expect(await readdir(home)).not.toContain('never');
  });
});

describe('quorate export and import', () => {
  test('T2 lines of JSON go out and come in again', async () => {
    const file = path('shop.jsonl');
    expect((await quorate(['export', file, ...at()])).out).toBe('Exported 2 keys\n');
    expect(await readFile(file, 'utf8')).toBe(
      '{"key":"bytes","value":{"$bytes":"AQID"}}\n{"key":"greeting","value":"hello"}\n',
    );
    await cluster.kv.put('greeting', 'changed');
    expect((await quorate(['import', file, ...at()])).out).toBe('Imported 2 keys\n');
    expect(await cluster.kv.get('greeting')).toBe('hello');
    expect(await cluster.kv.get('bytes')).toEqual(new Uint8Array([1, 2, 3]));
    const some = await quorate(['export', path('some'), '--prefix', 'gre', '--json', ...at()]);
    expect(JSON.parse(some.out)).toMatchObject({ count: 1 });
  });

  test('T2 thousands of lines, in batches', async () => {
    const lines = Array.from({ length: 3_000 }, (_, n) => `{"key":"many/${n}","value":${n}}`);
    await writeFile(path('many'), lines.join('\n'));
    expect((await quorate(['import', path('many'), ...at()])).out).toBe('Imported 3000 keys\n');
    const { count } = await cluster.kv.range({ prefix: 'many/', countOnly: true });
    expect(count).toBe(3_000);
  });

  test.each([
    ['no JSON', '{"key":"ok","value":1}\nnonsense\n', 'line 2: wanted {"key":'],
    ['another shape', '{"key":"ok","value":1,"revision":2}\n', 'line 1: wanted {"key":'],
    ['a reserved key', '{"key":"ok","value":1}\n{"key":"~lock/a","value":1}\n', 'line 2: the key'],
    ['an empty key', '{"key":"","value":1}\n', 'line 1: '],
    ['a long key', `{"key":"${'k'.repeat(2_000)}","value":1}\n`, 'line 1: '],
    ['bad bytes', '{"key":"ok","value":{"$bytes":"&"}}\n', 'line 1: '],
    ['a value that is too long', `{"key":"ok","value":"${'v'.repeat(1_100_000)}"}\n`, 'line 1: '],
    ['an empty line', '{"key":"ok","value":1}\n\n{"key":"b","value":1}\n', 'line 2: '],
  ])('T2 %s is refused by its line, and nothing is written', async (_what, text, words) => {
    await writeFile(path('bad'), text);
    const { revision } = cluster.kv;
    const { code, err } = await quorate(['import', path('bad'), ...at()]);
    expect(code).not.toBe(0);
    expect(err).toContain(words);
    expect(cluster.kv.revision).toBe(revision);
    expect(await cluster.kv.get('ok')).toBeUndefined();
  });
});
