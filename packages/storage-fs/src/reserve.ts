/**
 * Room that is kept for when there is none (T20): a file that is really there, not sparse and not to
 * be compressed, and is given back when the disk is full, so that what makes room can be written. It
 * holds nothing: whatever happens to it, no replica is the poorer.
 */
import { join } from 'node:path';
import { noise } from '@quorate/contracts/noise';
import type { FileSystem } from './file-system.ts';
import { isNoSpace, namesIn, replaceFile, syncing } from './layout.ts';

export class Reserve {
  readonly #fileSystem: FileSystem;
  readonly #replica: string;
  readonly #bytes: number;
  #isHeld = false;

  constructor(fileSystem: FileSystem, replica: string, bytes: number) {
    this.#fileSystem = fileSystem;
    this.#replica = replica;
    this.#bytes = bytes;
  }

  /**
   * True once it is there. False, and nothing of it is kept, while there is no room for it and as much
   * again: who takes the last bytes of a disk has the next write fail.
   */
  async take(): Promise<boolean> {
    if (this.#isHeld || this.#bytes === 0) return true;
    if (await this.#isThere()) {
      this.#isHeld = true;
      return true;
    }
    const free = await this.#fileSystem.freeBytes(this.#replica);
    if (free !== null && free < 2 * this.#bytes) return false;
    try {
      await replaceFile(this.#fileSystem, this.#replica, reserveName, noise(this.#bytes));
    } catch (error) {
      // Its own sync may find that there is no room: that says nothing about any other file.
      if (!isNoSpace(error) && !isNoSpace((error as Error).cause)) throw error;
      await this.#fileSystem.remove(join(this.#replica, `${reserveName}.tmp`));
      return false;
    }
    this.#isHeld = true;
    return true;
  }

  /** True if there was something to give back; it is free for the next write then. */
  async release(): Promise<boolean> {
    this.#isHeld = false;
    const names = await namesIn(this.#fileSystem, this.#replica);
    const own = names.filter((name) => name === reserveName || name === `${reserveName}.tmp`);
    for (const name of own) await this.#fileSystem.remove(join(this.#replica, name));
    if (own.length === 0) return false;
    // A file system hands out again only what is free for good.
    await syncing(
      `give back ${join(this.#replica, reserveName)}`,
      this.#fileSystem.syncDirectory(this.#replica),
    );
    return true;
  }

  async #isThere(): Promise<boolean> {
    if (!(await namesIn(this.#fileSystem, this.#replica)).includes(reserveName)) return false;
    const file = await this.#fileSystem.open(join(this.#replica, reserveName), 'read');
    try {
      return (await file.size()) >= this.#bytes;
    } finally {
      await file.close();
    }
  }
}

export const reserveName = 'reserve';
