/** Backups as files and streams: what they say of themselves, and whether they are whole. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  asArray,
  asInteger,
  asMap,
  asText,
  decodeCborMap,
  isQuorateError,
  QuorateError,
} from '@quorate/contracts';
import type { Chunks } from '@quorate/contracts';
import { factsFromCbor } from '@quorate/cluster/restoring';
import type { ClusterFacts } from '@quorate/cluster/restoring';
import { corrupt, readBlocks, readContainer } from '@quorate/kv/backup';
import type { BackupInfo, Container, Contents } from '@quorate/kv/backup';

export type OpenedBackup = Omit<Container, 'head'> & {
  readonly info: BackupInfo;
  readonly facts: ClusterFacts;
  readonly contents: Contents;
};

/**
 * Reads the head of a backup, from a file or from its bytes. Rejects, as its blocks do, with
 * `BACKUP_CORRUPT`, or with `OUTDATED` for what a newer release wrote.
 */
export async function openBackup(source: string | Chunks): Promise<OpenedBackup> {
  if (typeof source !== 'string') return openContainer(await readContainer(source));
  try {
    const opened = await openContainer(await readContainer(await fileChunks(source)));
    return { ...opened, blocks: named(source, opened.blocks) };
  } catch (error) {
    throw inFile(source, error);
  }
}

/**
 * Reads a backup to its end and resolves with what it says of itself, and its checksum. Rejects with
 * `BACKUP_CORRUPT` or `OUTDATED`.
 */
export async function checkBackup(
  source: string | Chunks,
): Promise<{ readonly info: BackupInfo; readonly checksum: string }> {
  const { info, contents, blocks, checksum } = await openBackup(source);
  for await (const records of readBlocks(blocks, contents)) void records;
  return { info, checksum: checksum() };
}

async function openContainer(container: Container): Promise<OpenedBackup> {
  try {
    return { ...container, ...readHead(container.head) };
  } catch (error) {
    await container.close();
    throw error;
  }
}

function readHead(head: Uint8Array): Pick<OpenedBackup, 'info' | 'facts' | 'contents'> {
  try {
    const map = decodeCborMap(head);
    const facts = factsFromCbor(asMap(map['facts'], 'facts'));
    const { namespace, clusterId, generation, featureLevel } = facts.genesis;
    const { index, term, time } = facts;
    const revision = asInteger(map['revision'], 'revision');
    const keys = asInteger(map['keys'], 'keys');
    const info: BackupInfo = {
      ...{ namespace, clusterId, generation, featureLevel, revision, index, term, time, keys },
      takenAt: asText(map['takenAt'], 'takenAt', 64),
      takenFrom: asText(map['takenFrom'], 'takenFrom', 64),
      marks: asArray(map['marks'], 'marks', 16).map((mark) => asText(mark, 'mark', 1_000)),
    };
    return { info, facts, contents: { keys, revision } };
  } catch (error) {
    if (isQuorateError(error, 'OUTDATED')) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw corrupt(16, `its head is damaged (${why})`);
  }
}

/** The bytes of a regular file: a pipe would keep us waiting, a device for ever. */
async function fileChunks(path: string): Promise<AsyncIterable<Uint8Array>> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw corrupt(0, error.code === 'ENOENT' ? 'there is no such file' : error.message);
  });
  if (!stats.isFile()) throw corrupt(0, 'it is no file');
  return createReadStream(path, { highWaterMark: 256 * 1024 });
}

async function* named<T>(path: string, parts: AsyncIterable<T>): AsyncGenerator<T, undefined> {
  try {
    yield* parts;
  } catch (error) {
    throw inFile(path, error);
  }
}

/** The same failure with the file's name in it. */
function inFile(path: string, error: unknown): unknown {
  if (isQuorateError(error)) {
    const message = error.message.replace('the backup', `the backup ${path}`);
    return new QuorateError(error.code, message, { cause: error, details: error.details });
  }
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? error : inFile(path, corrupt(0, message));
}
