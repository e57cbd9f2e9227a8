import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { FileStorage } from '@quorate/storage-fs';
import type { Cluster } from '../cluster.ts';
import { checkBackup } from './backup-file.ts';
import { joinCluster } from './join-cluster.ts';
import { restoreBackup } from './restore.ts';
import type { RestorePlan } from './restore.ts';
import { backupOfStopped } from './stopped-member.ts';

const opened: Cluster[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((cluster) => cluster.close()));
  for (const directory of directories.splice(0)) {
    await rm(directory, { recursive: true, force: true });
  }
});

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-backup-'));
  directories.push(directory);
  return directory;
}

function isolated(dataDir: string, namespace = 'shop'): Cluster {
  const cluster = joinCluster({
    ...{ namespace, formation: 'isolated', dataDir, label: 'one' },
    // A busy machine takes its time to load the network.
    ...{ writeTimeoutMs: 25_000, readTimeoutMs: 25_000 },
  });
  opened.push(cluster);
  return cluster;
}

/** A cluster with some data, and a backup of it in a file. */
async function backedUp(): Promise<{ cluster: Cluster; home: string; file: string }> {
  const home = await temporary();
  const cluster = isolated(join(home, 'data'));
  await cluster.ready();
  await cluster.kv.put('greeting', 'hello');
  await cluster.counter('clicks').add(3);
  await cluster.kv.put('bytes', new Uint8Array([1, 2, 3]));
  const file = join(home, 'shop.backup');
  await pipeline(cluster.backup(), createWriteStream(file));
  return { cluster, home, file };
}

/** Everything below a directory: names, kinds, contents; not what a running member keeps for a full disk. */
async function pictureOf(directory: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.name.startsWith('reserve')) continue;
    const isFile = entry.isFile();
    const text = isFile ? (await readFile(path)).toString('base64') : '';
    lines.push(`${path} ${isFile} ${text}`);
  }
  return lines.sort();
}

describe('cluster.backup()', () => {
  test('T2 Z43 says what is in it, and holds nothing that came later', async () => {
    const { cluster } = await backedUp();
    const backup = cluster.backup();
    const info = await backup.info;
    await cluster.kv.put('late', 1);
    const { status } = cluster;
    expect(info).toMatchObject({
      namespace: 'shop',
      clusterId: status.clusterId,
      generation: 1,
      revision: 3,
      keys: 3,
      takenFrom: 'one',
      marks: [],
    });
    expect(backup.checksum).toBeNull();
    const chunks: Uint8Array[] = [];
    for await (const chunk of backup) chunks.push(chunk);
    const checked = await checkBackup(chunks);
    expect(checked).toEqual({ info, checksum: backup.checksum });
    await expect(backup[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
  });

  test('T2 export and import move keys, bytes too, and nothing of the runtime', async () => {
    const { cluster } = await backedUp();
    const other = isolated(await temporary(), 'other');
    expect(await other.import(cluster.export())).toBe(2);
    expect(await other.kv.get('greeting')).toBe('hello');
    expect(await other.kv.get('bytes')).toEqual(new Uint8Array([1, 2, 3]));
    expect(await other.counter('clicks').get()).toBe(0);
  });

  test('T2 ends with its signal, and with the handle', async () => {
    const { cluster } = await backedUp();
    const stop = new AbortController();
    stop.abort();
    await expect(cluster.backup({ signal: stop.signal }).info).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await cluster.close();
    expect(() => cluster.backup()).toThrow(/closed/);
  });
});

describe('restoreBackup()', () => {
  test('T2 Z50 Z52 founds a new cluster with the state, counters too, above every revision', async () => {
    const { cluster, home, file } = await backedUp();
    const before = cluster.status;
    const { revision } = await cluster.kv.put('after the backup', 1);
    await cluster.close();
    const dataDir = join(home, 'restored');
    const plan = await restoreBackup({ backup: file, dataDir, above: revision });
    expect(plan).toMatchObject({ generation: 2, revision: 2 ** 40 + 3, replaces: null });
    const restored = isolated(dataDir);
    await restored.ready();
    expect(restored.status).toMatchObject({ clusterId: plan.clusterId, generation: 2 });
    expect(restored.status.nodeId).not.toBe(before.nodeId);
    expect(await restored.kv.get('greeting')).toBe('hello');
    expect(await restored.kv.get('after the backup')).toBeUndefined();
    expect(await restored.counter('clicks').add(1)).toBe(4);
    expect((await restored.kv.put('on', 1)).revision).toBeGreaterThan(2 ** 40);
    expect(restored.status.raft.time).toBeGreaterThanOrEqual(plan.info.time);
    // And once more after a restart.
    await restored.close();
    const again = isolated(dataDir);
    expect(await again.kv.get('on')).toBe(1);
  });

  test('T2 takes the bytes as they come, as well as a file', async () => {
    const { cluster, home } = await backedUp();
    const dataDir = join(home, 'restored');
    await restoreBackup({ backup: cluster.backup(), dataDir, above: 0 });
    expect(await isolated(dataDir).kv.get('greeting')).toBe('hello');
  });

  test('Z50 two restores of one file need the highest revision typed, and never repeat one', async () => {
    const { home, file } = await backedUp();
    const first = join(home, 'first');
    const refusal = await restoreBackup({ backup: file, dataDir: first }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 'RESTORE_REFUSED', details: { wanted: 'above' } });
    await restoreBackup({ backup: file, dataDir: first, above: 3 });
    const { revision } = await isolated(first).kv.put('week', 1);
    const second = join(home, 'second');
    const plan = await restoreBackup({ backup: file, dataDir: second, above: revision });
    expect(plan.generation).toBe(3);
    expect(plan.revision).toBeGreaterThan(revision);
  });

  test('T2 refuses what is damaged, cut short, of a newer release or of another namespace, and changes nothing', async () => {
    const { home, file } = await backedUp();
    const bytes = await readFile(file);
    const dataDir = join(home, 'restored');
    const attempt = async (content: Uint8Array, more = {}): Promise<unknown> => {
      const path = join(home, 'bad.backup');
      await writeFile(path, content);
      const before = await pictureOf(home);
      const failure = await restoreBackup({ backup: path, dataDir, above: 9, ...more }).catch(
        (error: unknown) => error,
      );
      expect(await pictureOf(home)).toEqual(before);
      // And where it comes as a stream, which is read once.
      const streamed = await restoreBackup({ backup: [content], dataDir, above: 9, ...more }).catch(
        (error: unknown) => error,
      );
      expect((streamed as { code: string }).code).toBe((failure as { code: string }).code);
      expect(await pictureOf(home)).toEqual(before);
      return failure;
    };
    const corrupt = { code: 'BACKUP_CORRUPT' };
    for (const cut of [0, 7, 15, 40, bytes.length - 33, bytes.length - 1]) {
      expect(await attempt(bytes.subarray(0, cut))).toMatchObject(corrupt);
    }
    for (const at of [0, 20, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(await attempt(damaged)).toMatchObject(corrupt);
    }
    const newer = Uint8Array.from(bytes);
    newer[8] = 9;
    expect(await attempt(newer)).toMatchObject({ code: 'OUTDATED' });
    const level = bytes.indexOf('featureLevel') + 'featureLevel'.length;
    const higher = Uint8Array.from(bytes);
    expect(higher[level]).toBe(2);
    higher[level] = 9;
    expect(await attempt(higher)).toMatchObject({ code: 'OUTDATED' });
    expect(await attempt(bytes, { namespace: 'other' })).toMatchObject({
      code: 'RESTORE_REFUSED',
      message: expect.stringContaining('shop') as string,
    });
  });

  test('T2 refuses a file that is missing, a directory, a pipe or sparse, at once and by its name', async () => {
    const { home, file } = await backedUp();
    const dataDir = join(home, 'restored');
    const pipe = join(home, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const sparse = join(home, 'sparse');
    await writeFile(sparse, '');
    await truncate(sparse, 8 * 2 ** 30);
    const link = join(home, 'link');
    await symlink(file, link);
    for (const path of [join(home, 'missing'), home, pipe, sparse]) {
      await expect(restoreBackup({ backup: path, dataDir, above: 9 })).rejects.toMatchObject({
        code: 'BACKUP_CORRUPT',
        message: expect.stringContaining(path) as string,
      });
    }
    expect(await readdir(home)).not.toContain('restored');
    await restoreBackup({ backup: link, dataDir, above: 9 });
  });

  test('T2 refuses a directory in which something lies, and lets other namespaces be', async () => {
    const { home, file } = await backedUp();
    const attempt = (dataDir: string): Promise<unknown> =>
      restoreBackup({ backup: file, dataDir, above: 9 });
    const refusal = { code: 'RESTORE_REFUSED' };
    // The living member's own.
    await expect(attempt(join(home, 'data'))).rejects.toMatchObject(refusal);
    // Somebody's files, and a file in the directory's place.
    await expect(attempt(home)).rejects.toMatchObject(refusal);
    await expect(attempt(file)).rejects.toMatchObject(refusal);
    const shared = join(home, 'shared');
    await isolated(shared, 'other').ready();
    await attempt(shared);
    expect((await readdir(shared)).sort()).toEqual(['other', 'shop']);
    await mkdir(join(home, 'empty', 'shop'), { recursive: true });
    await attempt(join(home, 'empty'));
    expect((await stat(join(home, 'empty', 'shop'))).mode & 0o077).toBe(0);
  });

  test('T2 asks before it writes, and a no changes nothing', async () => {
    const { home, file } = await backedUp();
    const before = await pictureOf(home);
    const asked: unknown[] = [];
    const confirm = (plan: unknown): boolean => {
      asked.push(plan);
      return false;
    };
    const dataDir = join(home, 'restored');
    await expect(restoreBackup({ backup: file, dataDir, above: 9, confirm })).rejects.toMatchObject(
      {
        code: 'RESTORE_REFUSED',
      },
    );
    expect(asked).toMatchObject([{ info: { revision: 3, keys: 3 }, generation: 2 }]);
    expect(await pictureOf(home)).toEqual(before);
  });
});

describe('backupOfStopped()', () => {
  test('T2 Z43 reads a stopped member without becoming a run of it', async () => {
    const { cluster, home } = await backedUp();
    const dataDir = join(home, 'data');
    await cluster.kv.put('last', 'word');
    const { epoch } = cluster.status.raft;
    await expect(backupOfStopped({ dataDir }).info).rejects.toMatchObject({
      code: 'STORAGE_LOCKED',
    });
    await cluster.close();
    const isReplica = (line: string): boolean => line.includes('/replica/');
    const before = (await pictureOf(dataDir)).filter(isReplica);
    const backup = backupOfStopped({ dataDir, namespace: 'shop' });
    const info = await backup.info;
    expect(info).toMatchObject({ revision: 4, generation: 1, takenFrom: 'one' });
    expect(info.marks[0]).toContain('stopped member');
    const chunks: Uint8Array[] = [];
    for await (const chunk of backup) chunks.push(chunk);
    expect((await pictureOf(dataDir)).filter(isReplica)).toEqual(before);
    await restoreBackup({ backup: chunks, dataDir: join(home, 'restored'), above: 4 });
    expect(await isolated(join(home, 'restored')).kv.get('last')).toBe('word');
    const again = isolated(dataDir);
    await again.ready();
    expect(again.status.raft.epoch).toBe(epoch + 1);
  });

  test('T2 Z38 of a member that others refused says so, in the container and before a restore', async () => {
    const { cluster, home } = await backedUp();
    await cluster.close();
    const dataDir = join(home, 'data');
    const directory = join(dataDir, 'shop', 'log');
    const storage = new FileStorage({ directory });
    await storage.open({ create: false, newNodeId: 'a'.repeat(32), nonce: 'b'.repeat(16) });
    const refusal = 'Cannot hear run 2 of 1c8e, says two';
    await storage.mark({
      code: 'REPLICA_ROLLED_BACK',
      message: refusal,
      others: [],
      seatGivenUp: false,
    });
    await storage.close();
    const isReplica = (line: string): boolean => line.includes('/replica/');
    const before = (await pictureOf(dataDir)).filter(isReplica);
    const backup = backupOfStopped({ dataDir });
    const chunks: Uint8Array[] = [];
    for await (const chunk of backup) chunks.push(chunk);
    expect((await pictureOf(dataDir)).filter(isReplica)).toEqual(before);
    const { info } = await checkBackup(chunks);
    expect(info).toMatchObject({ revision: 3, keys: 3 });
    expect(info.marks).toContainEqual(expect.stringContaining('Others refused this member'));
    expect(info.marks).toContainEqual(expect.stringContaining(refusal));
    const asked: string[] = [];
    const confirm = (plan: RestorePlan): boolean => {
      asked.push(...plan.info.marks);
      return true;
    };
    await restoreBackup({ backup: chunks, dataDir: join(home, 'restored'), above: 9, confirm });
    expect(asked).toEqual(info.marks);
    // It stays refused.
    const again = isolated(dataDir);
    await expect(again.ready()).rejects.toMatchObject({ code: 'REPLICA_ROLLED_BACK' });
  });

  test('T2 a torn tail is read around, and left as it is', async () => {
    const { cluster, home } = await backedUp();
    await cluster.close();
    const log = join(home, 'data', 'shop', 'log', 'replica', 'log');
    const [segment = ''] = (await readdir(log)).sort().reverse();
    const bytes = await readFile(join(log, segment));
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    bytes.fill(0xee, Math.ceil(end / 8) * 8, Math.ceil(end / 8) * 8 + 24);
    await writeFile(join(log, segment), bytes);
    expect((await backupOfStopped({ dataDir: join(home, 'data') }).info).revision).toBe(3);
    expect(bytes.equals(await readFile(join(log, segment)))).toBe(true);
  });

  test('T2 names what is not there: no member, several of them, a damaged log', async () => {
    const { cluster, home } = await backedUp();
    const lost = { code: 'STORAGE_LOST' };
    const empty = await temporary();
    await expect(backupOfStopped({ dataDir: empty }).info).rejects.toMatchObject(lost);
    await expect(backupOfStopped({ dataDir: empty, namespace: 'shop' }).info).rejects.toMatchObject(
      lost,
    );
    expect(await readdir(empty)).toEqual([]);
    await cluster.close();
    const data = join(home, 'data');
    await cp(join(data, 'shop'), join(data, 'twin'), { recursive: true });
    await expect(backupOfStopped({ dataDir: data }).info).rejects.toMatchObject({
      ...lost,
      message: expect.stringContaining('shop, twin') as string,
    });
    await writeFile(join(data, 'shop', 'log', 'replica', 'identity'), 'nonsense');
    await expect(backupOfStopped({ dataDir: data, namespace: 'shop' }).info).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
    });
  });
});
