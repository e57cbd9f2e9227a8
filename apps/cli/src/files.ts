/** Small files of secrets and tokens: one to a line, blank lines and lines with # are skipped. */
import { readFile } from 'node:fs/promises';

/** Throws the system's error where the file cannot be read, `TypeError` where it holds nothing. */
export async function readLines(path: string, what: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8');
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw new TypeError(`Cannot use ${path}: wanted ${what}, found nothing`);
  return lines;
}
