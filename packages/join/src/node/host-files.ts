/**
 * What a Node member keeps beside its log, so that it comes back as the same host: its network key and
 * the port it listened on; and of which groups its relays were. A key that is not the one that was
 * written would make another host of it, which the others look for in vain: so all carry checksums.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { RelayRecords } from '@quorate/transport-libp2p';
import { checkDirectory, corrupt, readChecked, writeChecked } from '@quorate/contracts/files';

export type HostFiles = {
  readonly key: Uint8Array | null;
  /** Of the last run, 0 if there was none. */
  readonly port: number;
  /** What the last run remembered of relays; null: nothing. */
  readonly relays: unknown;
};

/**
 * Looked at before the store is opened, so that nothing changed where one is damaged. Rejects with
 * `STORAGE_CORRUPT`, also where the key alone is missing.
 */
export async function readHostFiles(directory: string): Promise<HostFiles> {
  await checkDirectory(directory);
  const keyPath = join(directory, keyName);
  const portPath = join(directory, portName);
  const [key, port, relays] = await Promise.all([
    readChecked(keyPath),
    readChecked(portPath),
    readChecked(join(directory, relaysName)),
  ]);
  const files = {
    key: key === null ? null : keyOf(key, keyPath),
    port: port === null ? 0 : portOf(port, portPath),
    relays,
  };
  // The port is written after it.
  if (files.key === null && port !== null) throw corrupt(keyPath, 'it is missing');
  return files;
}

/** Keeps the key that `generate` makes. */
export async function makeHostKey(
  directory: string,
  generate: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const key = await generate();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeChecked(directory, keyName, { format, key: Buffer.from(key).toString('hex') });
  return key;
}

export async function writePort(directory: string, port: number): Promise<void> {
  await writeChecked(directory, portName, { format, port });
}

/** One after another, and only for the better: what cannot be kept is met again. */
export function keepRelays(directory: string): (records: RelayRecords) => void {
  let last: Promise<void> = Promise.resolve();
  return (records) => {
    last = last.then(() => writeChecked(directory, relaysName, records)).catch(() => {});
  };
}

/** Rejects with `BAD_REQUEST` where a relay keeps its key and register. */
export async function refuseRelays(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (!names.includes('relay.key') && !names.includes('group.key')) return;
  throw new QuorateError(
    'BAD_REQUEST',
    `Cannot use ${dataDir} for a member: a relay keeps its data there, wanted a directory of its own`,
  );
}

function keyOf(value: unknown, path: string): Uint8Array {
  const { format: found, key } = value as { readonly format?: unknown; readonly key?: unknown };
  if (found !== format || typeof key !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(key)) {
    throw corrupt(path, 'it holds no key');
  }
  return new Uint8Array(Buffer.from(key, 'hex'));
}

function portOf(value: unknown, path: string): number {
  const { format: found, port } = value as { readonly format?: unknown; readonly port?: unknown };
  if (found !== format || typeof port !== 'number' || !(port > 0 && port < 65_536)) {
    throw corrupt(path, 'it holds no port');
  }
  return port;
}

const format = 1;
const keyName = 'host-key';
const portName = 'port';
const relaysName = 'relays';
