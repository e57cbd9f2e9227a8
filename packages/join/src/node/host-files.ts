/**
 * What a Node member keeps beside its log, so that it comes back as the same host: its network key
 * and the port it listened on. Losing either costs others a look-up, nothing more.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Reads the key of `directory`, or keeps the one that `generate` makes. */
export async function keepHostKey(
  directory: string,
  generate: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const stored = await readOptional(join(directory, 'host-key'));
  if (stored !== null && stored.length > 0) return new Uint8Array(stored);
  const key = await generate();
  await writeAtomically(directory, 'host-key', key);
  return key;
}

/** The port of the last run, 0 if there was none. */
export async function readPort(directory: string): Promise<number> {
  const text = (await readOptional(join(directory, 'port')))?.toString('utf8') ?? '';
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0;
}

export async function writePort(directory: string, port: number): Promise<void> {
  await writeAtomically(directory, 'port', new TextEncoder().encode(String(port)));
}

async function readOptional(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writeAtomically(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, name);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
