/**
 * Small files that a person can read: one line of JSON, one line with the CRC-32 of the first in hex.
 */
import { checksum } from './bytes.ts';
import type { FileSystem } from './file-system.ts';
import { corrupt, readWhole } from './layout.ts';

export function checkedLine(value: object): Uint8Array {
  const line = JSON.stringify(value);
  return new TextEncoder().encode(`${line}\n${checksumOf(line)}\n`);
}

/** Null where there is no such file. Rejects with `STORAGE_CORRUPT` for a damaged one. */
export async function readCheckedLine(fileSystem: FileSystem, path: string): Promise<unknown> {
  const bytes = await readWhole(fileSystem, path, lineBytesMax);
  if (bytes === null) return null;
  const [line = '', crc, rest] = new TextDecoder().decode(bytes).split('\n');
  if (rest !== '' || crc !== checksumOf(line)) throw corrupt(path, 0, 'its checksum does not fit');
  return JSON.parse(line) as unknown;
}

function checksumOf(line: string): string {
  return checksum(new TextEncoder().encode(line)).toString(16).padStart(8, '0');
}

const lineBytesMax = 4096;
