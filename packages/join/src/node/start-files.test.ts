/** T5: whatever a member or a relay reads at its start is as it was written, or it says which is not. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeChecked } from '@quorate/contracts/files';
import { verifyRecord } from '@quorate/crypto';
import { startRelay } from '@quorate/transport-libp2p/relay';
import { joinCluster } from './join-cluster.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'quorate-files-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** What may befall a file, or a directory. */
const mishaps: Readonly<Record<string, (path: string) => void>> = {
  'a flipped bit': (path) => {
    const bytes = readFileSync(path);
    const at = Math.min(10, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  },
  emptied: (path) => truncateSync(path, 0),
  'a link': (path) => {
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path}.moved`, path);
  },
  'a FIFO': (path) => {
    rmSync(path);
    execFileSync('mkfifo', [path]);
  },
  'sparse, of gigabytes': (path) => truncateSync(path, 8 * 2 ** 30),
  'a directory': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
};

/** Everything below a directory, with content: what a refused start must leave alone. */
function pictureOf(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() || entry.parentPath === path)
    .map((entry) => {
      const full = join(entry.parentPath, entry.name);
      const content = entry.isFile() && statSync(full).size < 1e6 ? readFileSync(full, 'hex') : '';
      return `${full} ${content}`;
    })
    .filter((line) => !/lock-\d+ |\.sock /.test(line))
    .sort();
}

async function memberOnce(): Promise<{ readonly code: string | null; readonly message: string }> {
  const member = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
  try {
    await member.kv.put('a', 1, { timeoutMs: 5_000 });
    return { code: null, message: '' };
  } catch {
    const { reason, message } = member.status;
    return { code: reason, message };
  } finally {
    await member.close();
  }
}

/** A start says that what lies at `path` is damaged, and changes nothing. */
async function isCorruptAt(path: string): Promise<void> {
  const before = pictureOf(dataDir);
  const { code, message } = await memberOnce();
  expect(code).toBe('STORAGE_CORRUPT');
  expect(message).toContain(path);
  expect(pictureOf(dataDir)).toEqual(before);
}

describe('a member', () => {
  const files = [
    'host-key',
    'port',
    'log/replica/identity',
    'log/replica/secret',
    'log/replica/extent',
  ];

  test.each(files.flatMap((file) => Object.keys(mishaps).map((mishap) => [file, mishap] as const)))(
    'T5 %s, %s: STORAGE_CORRUPT naming it, and nothing changed',
    async (file, mishap) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const path = join(dataDir, 'test', file);
      mishaps[mishap]?.(path);
      await isCorruptAt(path);
    },
  );

  test.each([
    'host-key',
    'log/replica/identity',
    'log/replica/secret',
    'log/replica/extent',
    'log/replica/log',
    'log/replica/snapshot',
  ])('T5 %s missing: STORAGE_CORRUPT naming it, and nothing changed', async (file) => {
    expect(await memberOnce()).toMatchObject({ code: null });
    const path = join(dataDir, 'test', file);
    rmSync(path, { recursive: true });
    await isCorruptAt(path);
  });

  test('T5 all segments of the log gone: no fresh member, and nothing changed', async () => {
    expect(await memberOnce()).toMatchObject({ code: null });
    const log = join(dataDir, 'test/log/replica/log');
    for (const name of readdirSync(log)) rmSync(join(log, name));
    await isCorruptAt(log);
  });

  test.each([0, 64, 100])(
    'T5 the last segment cut to %i bytes: STORAGE_CORRUPT naming it, and it stays as it is',
    async (bytes) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const log = join(dataDir, 'test/log/replica/log');
      const path = join(log, readdirSync(log).sort().at(-1) ?? '');
      truncateSync(path, bytes);
      const { code, message } = await memberOnce();
      expect(code).toBe('STORAGE_CORRUPT');
      expect(message).toContain(path);
      expect(statSync(path).size).toBe(bytes);
    },
  );

  test.each(['.', 'log', 'log/replica', 'log/replica/log', 'log/replica/snapshot', 'log/archive'])(
    'T5 the directory %s that is a link: STORAGE_CORRUPT naming it',
    async (name) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const path = join(dataDir, 'test', name);
      const moved = join(dataDir, 'moved');
      mkdirSync(path, { recursive: true });
      renameSync(path, moved);
      symlinkSync(moved, path);
      await isCorruptAt(path);
    },
  );

  test('T5 a data directory that a person reaches through a link is used', async () => {
    const real = join(dataDir, 'real');
    mkdirSync(real);
    symlinkSync(real, join(dataDir, 'way'));
    const member = joinCluster({
      ...{ namespace: 'test', formation: 'isolated', dataDir: join(dataDir, 'way') },
    });
    await member.kv.put('a', 1);
    await member.close();
    expect(readdirSync(join(real, 'test'))).toContain('log');
  });

  test.each(['a link', 'a FIFO', 'a directory'])(
    'T5 its memory of others, %s: STORAGE_CORRUPT naming it, and nothing changed',
    async (mishap) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const path = join(dataDir, 'test/log/replica/cache');
      writeFileSync(path, 'whatever');
      mishaps[mishap]?.(path);
      await isCorruptAt(path);
    },
  );

  test.each(['a flipped bit', 'emptied', 'sparse, of gigabytes'])(
    'T5 its memory of others, %s, which is never synced: said, and made anew',
    async (mishap) => {
      const path = join(dataDir, 'test/log/replica/cache');
      expect(await memberOnce()).toMatchObject({ code: null });
      writeFileSync(path, 'written halfway');
      mishaps[mishap]?.(path);
      const member = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
      await member.kv.put('a', 2);
      expect(member.status.phase).toBe('ready');
      expect(member.status.message).toContain(path);
      await member.close();
      const again = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
      await again.ready();
      expect(again.status.message).toBe('Ready');
      await again.close();
    },
  );

  test.each(Object.keys(mishaps))(
    'T5 T27 what it remembers of relays, %s: STORAGE_CORRUPT naming it, and nothing changed',
    async (mishap) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const path = join(dataDir, 'test', 'relays');
      await writeChecked(join(dataDir, 'test'), 'relays', { groups: {}, counters: {} });
      expect(await memberOnce()).toMatchObject({ code: null });
      mishaps[mishap]?.(path);
      await isCorruptAt(path);
    },
  );

  test('T27 it remembers the group of its relay; that another one is there now is said', async () => {
    const first = await startRelay({
      ...relayOptions(),
      ...{ directory: join(dataDir, 'relay one'), init: true, fresh: true },
    });
    const relays = first.addresses().map((address) => address.split('/p2p/')[0] ?? '');
    const options = { namespace: 'test', relays, secret: 'public' } as const;
    const member = joinCluster({ ...options, dataDir: join(dataDir, 'one') });
    await member.ready();
    expect(member.status.message).toBe('Ready');
    await member.close();
    await first.close();
    const kept = readFileSync(join(dataDir, 'one/test/relays'), 'utf8');
    expect(kept).toContain(first.group);

    const listen = relays;
    const second = await startRelay({
      ...relayOptions(),
      ...{ directory: join(dataDir, 'relay two'), listen, init: true, fresh: true },
    });
    mkdirSync(join(dataDir, 'two/test'), { recursive: true });
    writeFileSync(join(dataDir, 'two/test/relays'), kept);
    const another = joinCluster({ ...options, dataDir: join(dataDir, 'two') });
    await another.kv.put('a', 1);
    expect(another.status.message).toContain(`${relays[0]} was of group ${first.group} before`);
    await another.close();
    await second.close();
  });

  test.each(['a link', 'a FIFO', 'sparse, of gigabytes', 'a directory'])(
    'T5 a segment of the log that is %s: STORAGE_CORRUPT naming it',
    async (mishap) => {
      expect(await memberOnce()).toMatchObject({ code: null });
      const log = join(dataDir, 'test/log/replica/log');
      const path = join(log, readdirSync(log).sort().at(-1) ?? '');
      mishaps[mishap]?.(path);
      const { code, message } = await memberOnce();
      expect(code).toBe('STORAGE_CORRUPT');
      expect(message).toContain(path);
    },
  );

  test('T5 its directories are of mode 700', async () => {
    const nested = join(dataDir, 'made');
    const member = joinCluster({ namespace: 'test', formation: 'isolated', dataDir: nested });
    await member.ready();
    await member.close();
    for (const path of ['', 'test', 'test/log', 'test/log/replica', 'test/log/replica/log']) {
      expect(statSync(join(nested, path)).mode & 0o777).toBe(0o700);
    }
  });

  test('T29 a directory in use names the process and the host that hold it', async () => {
    const member = joinCluster({ namespace: 'test', formation: 'isolated', dataDir });
    await member.ready();
    const { FileStorage } = await import('@quorate/storage-fs');
    const second = new FileStorage({ directory: join(dataDir, 'test/log') });
    const options = { create: true, newNodeId: 'a'.repeat(32), nonce: 'b'.repeat(16) };
    await expect(second.open(options)).rejects.toMatchObject({
      code: 'STORAGE_LOCKED',
      message: expect.stringContaining(`process ${process.pid} on `) as string,
    });
    await member.close();
  });

  test('T29 keeps out of a directory of a relay', async () => {
    const relay = await startRelay({ ...relayOptions(), init: true });
    await relay.close();
    const before = pictureOf(dataDir);
    expect(await memberOnce()).toMatchObject({ code: 'BAD_REQUEST' });
    expect(pictureOf(dataDir)).toEqual(before);
  });
});

function relayOptions(): Parameters<typeof startRelay>[0] {
  return { directory: dataDir, listen: ['/ip4/127.0.0.1/tcp/0/ws'], verify: verifyRecord };
}

describe('a relay', () => {
  const files = ['relay.key', 'group.key', 'register/GROUP'];

  test.each(files.flatMap((file) => Object.keys(mishaps).map((mishap) => [file, mishap] as const)))(
    'T5 %s, %s: STORAGE_CORRUPT naming it, and nothing changed',
    async (file, mishap) => {
      await (await startRelay({ ...relayOptions(), init: true })).close();
      const path = join(dataDir, file);
      mishaps[mishap]?.(path);
      const before = pictureOf(dataDir);
      await expect(startRelay({ ...relayOptions(), init: true })).rejects.toMatchObject({
        code: 'STORAGE_CORRUPT',
        message: expect.stringContaining(path) as string,
      });
      expect(pictureOf(dataDir)).toEqual(before);
    },
  );

  test('T5 a register that is a link: STORAGE_CORRUPT naming it, and nothing changed', async () => {
    await (await startRelay({ ...relayOptions(), init: true })).close();
    const path = join(dataDir, 'register');
    const moved = mkdtempSync(join(tmpdir(), 'quorate-moved-'));
    renameSync(path, join(moved, 'register'));
    symlinkSync(join(moved, 'register'), path);
    try {
      for (const init of [false, true]) {
        await expect(startRelay({ ...relayOptions(), init })).rejects.toMatchObject({
          code: 'STORAGE_CORRUPT',
          message: expect.stringContaining(path) as string,
        });
      }
      expect(readdirSync(moved)).toEqual(['register']);
    } finally {
      rmSync(moved, { recursive: true });
    }
  });

  test.each(['a link', 'a FIFO', 'sparse, of gigabytes', 'a directory'])(
    'T5 the list of namespaces, %s: STORAGE_CORRUPT naming it, and nothing changed',
    async (mishap) => {
      await (await startRelay({ ...relayOptions(), init: true })).close();
      const path = join(dataDir, 'register/topics');
      mishaps[mishap]?.(path);
      const before = pictureOf(dataDir);
      await expect(startRelay(relayOptions())).rejects.toMatchObject({
        code: 'STORAGE_CORRUPT',
        message: expect.stringContaining(path) as string,
      });
      expect(pictureOf(dataDir)).toEqual(before);
    },
  );

  test('T5 its directories are of mode 700, and one in use names who has it', async () => {
    const directory = join(dataDir, 'made');
    const relay = await startRelay({ ...relayOptions(), directory, init: true });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'register')).mode & 0o777).toBe(0o700);
    await expect(startRelay({ ...relayOptions(), directory })).rejects.toMatchObject({
      code: 'STORAGE_LOCKED',
      message: expect.stringContaining(`process ${process.pid} on `) as string,
    });
    await relay.close();
  });

  test('T29 makes no register in a directory of members, and no key', async () => {
    expect(await memberOnce()).toMatchObject({ code: null });
    const before = pictureOf(dataDir);
    for (const directory of [dataDir, join(dataDir, 'test')]) {
      await expect(startRelay({ ...relayOptions(), directory, init: true })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
    }
    expect(pictureOf(dataDir)).toEqual(before);
  });
});
