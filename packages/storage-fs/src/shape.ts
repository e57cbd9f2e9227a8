/**
 * What a data directory looks like before anything in it is read or changed: its directories are
 * directories, its hints and its reserve files. What is read in any case is looked at when it is opened.
 */
import { join } from 'node:path';
import type { FileSystem } from './file-system.ts';
import { corrupt, layoutOf } from './layout.ts';
import { reserveName } from './reserve.ts';

/** Rejects with `STORAGE_CORRUPT`: a link would lead out of the directory that is locked and of mode 700. */
export async function checkShape(fileSystem: FileSystem, directory: string): Promise<void> {
  const { replica, archive } = layoutOf(directory);
  const places = [directory, archive, replica, join(replica, 'log'), join(replica, 'snapshot')];
  for (const path of places) {
    const kind = await fileSystem.kindOf(path);
    if (kind !== 'absent' && kind !== 'directory') {
      throw corrupt(path, 0, `it is ${words[kind]}, wanted a directory`);
    }
  }
  for (const name of [cacheName, reserveName]) {
    const path = join(replica, name);
    const kind = await fileSystem.kindOf(path);
    if (kind !== 'absent' && kind !== 'file') {
      throw corrupt(path, 0, `it is ${words[kind]}, wanted a file`);
    }
  }
}

const words = {
  file: 'a file',
  directory: 'a directory',
  link: 'a link',
  other: 'neither file nor directory',
} as const;
export const cacheName = 'cache';
