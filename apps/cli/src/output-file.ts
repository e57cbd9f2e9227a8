/** A file that appears whole or not at all; `-` is stdout. */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from './flags.ts';

/** Takes one chunk; resolves when the next one may come. */
export type WriteChunk = (chunk: Uint8Array) => Promise<void>;

/**
 * Writes to `path` what `produce` hands out, and resolves with what that came to. It is written beside
 * and renamed at the end, so that a failure leaves what was there before.
 */
export async function writeFileWhole<T>(
  path: string,
  produce: (write: WriteChunk) => Promise<T>,
): Promise<T> {
  if (path === '-') return produce(writeStdout);
  const temporary = `${path}.partial`;
  const file = await open(temporary, 'w', 0o600);
  let result: T;
  try {
    try {
      result = await produce((chunk) => file.writeFile(chunk));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return result;
}

/**
 * A new file that only its owner can read, durable once it resolves. Throws `UsageError` where there is
 * one already: a secret that is written over is lost.
 */
export async function createSecretFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EEXIST' ? 'it is there already' : (error.code ?? String(error));
    throw new UsageError(`Cannot write --out ${path}: ${reason}, wanted a new file`);
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await syncDirectory(path);
}

/** The same chunks, each handed on after `pass` took it. */
export async function* passing(
  chunks: AsyncIterable<Uint8Array>,
  pass: WriteChunk,
): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of chunks) {
    await pass(chunk);
    yield chunk;
  }
}

/** So that the name of a file in it outlives a power failure. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
}

async function writeStdout(chunk: Uint8Array): Promise<void> {
  if (process.stdout.write(chunk)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}
