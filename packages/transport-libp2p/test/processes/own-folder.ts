/** A folder that goes away with this process. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'quorate-world-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}
