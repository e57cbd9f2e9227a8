/**
 * The extent file: how far the log and the snapshots of a replica are known to reach. What is there
 * cannot say what is gone: without it, a log whose files were all removed would look like one that
 * never began, and its member like a fresh one, which votes and acknowledges a second time.
 *
 * It only ever lags: it is written behind what it speaks of, so that no crash makes it say too much.
 */
import { join } from 'node:path';
import { QuorateError, isQuorateError } from '@quorate/contracts';
import { checkedBytes } from '@quorate/contracts/files';
import type { FileSystem } from './file-system.ts';
import {
  corrupt,
  isNoSpace,
  namesOfReplica,
  numberIn,
  paddedNumber,
  readCheckedFile,
  replaceFile,
} from './layout.ts';
import { snapshotNumberOf } from './snapshot-store.ts';

export type Reach = {
  /** The first record of the newest segment; 0 for a log without any. */
  readonly segment: number;
  /** The newest record. */
  readonly record: number;
  /** The number of the newest snapshot; 0 without any. */
  readonly snapshot: number;
};

export class Extent {
  readonly #fileSystem: FileSystem;
  readonly #replica: string;
  #stored: Reach;
  #wanted: Reach;

  private constructor(fileSystem: FileSystem, replica: string, stored: Reach) {
    this.#fileSystem = fileSystem;
    this.#replica = replica;
    this.#stored = stored;
    this.#wanted = stored;
  }

  /** Rejects with `STORAGE_CORRUPT`, also where it is missing, and `OUTDATED`. */
  static async read(fileSystem: FileSystem, replica: string): Promise<Extent> {
    const path = join(replica, extentName);
    const value = await readCheckedFile(fileSystem, path);
    if (value === null) throw corrupt(path, 0, 'it is missing');
    const { format, ...stored } = value as Reach & { readonly format: number };
    if (format !== extentFormat) {
      throw new QuorateError(
        'OUTDATED',
        `Cannot read ${path}: it has format ${format}, wanted ${extentFormat}`,
      );
    }
    return new Extent(fileSystem, replica, stored);
  }

  /** Into a replica that is being made; durable with it. */
  static async create(fileSystem: FileSystem, replica: string): Promise<void> {
    await replaceFile(fileSystem, replica, extentName, bytesOf(nothing));
  }

  get stored(): Reach {
    return this.#stored;
  }

  /** Did anything of this replica ever reach the disk? */
  get isBlank(): boolean {
    return this.#stored.segment === 0 && this.#stored.snapshot === 0;
  }

  /** Looks at names alone. Rejects with `STORAGE_CORRUPT`, naming the file that must be there. */
  async check(): Promise<void> {
    const { segment, snapshot } = this.#stored;
    const [log, snapshots] = [join(this.#replica, 'log'), join(this.#replica, 'snapshot')];
    const [segmentNames, snapshotNames] = [
      await namesOfReplica(this.#fileSystem, log),
      await namesOfReplica(this.#fileSystem, snapshots),
    ];
    const newest = highest(segmentNames.map((name) => numberIn(name, '', '.log')));
    if (newest < segment) {
      throw corrupt(join(log, `${paddedNumber(segment)}.log`), 0, 'it is missing');
    }
    const newestSnapshot = highest(snapshotNames.map(snapshotNumberOf));
    if (newestSnapshot < snapshot) {
      throw corrupt(snapshots, 0, `snapshot ${snapshot} is missing`);
    }
  }

  /** Told of what is durable already. Without space for it, it is told with the next. */
  async grow(reach: Partial<Reach>): Promise<void> {
    this.#wanted = { ...this.#wanted, ...reach };
    const wanted = this.#wanted;
    const { segment, record, snapshot } = this.#stored;
    if (wanted.segment === segment && wanted.record === record && wanted.snapshot === snapshot) {
      return;
    }
    try {
      await replaceFile(this.#fileSystem, this.#replica, extentName, bytesOf(wanted));
      this.#stored = wanted;
    } catch (error) {
      if (isQuorateError(error) || !isNoSpace(error)) throw error;
    }
  }
}

function bytesOf(reach: Reach): Uint8Array {
  return checkedBytes({ format: extentFormat, ...reach });
}

function highest(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((last, number) => Math.max(last, number ?? 0), 0);
}

const nothing: Reach = { segment: 0, record: 0, snapshot: 0 };
const extentName = 'extent';
const extentFormat = 1;
