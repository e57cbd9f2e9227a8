/**
 * What the storage does about a want of descriptors (Z46). A call that found none changed nothing, so it
 * is made again; and some descriptors are kept back for it, lest the sockets of strangers stand between a
 * member and its disk. A sync or a rename needs none of its own: their failures stay final.
 */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { codeOf } from './layout.ts';

/**
 * Resolves as `call` does, and calls it again after a failure for want of a descriptor (this process has
 * none left, or the machine) or after a signal that came before anything was done.
 */
export async function withDescriptors<T>(call: () => Promise<T>): Promise<T> {
  keepBack();
  for (let waitMs = waitMsMin; ;) {
    try {
      return await call();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EINTR') continue;
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    }
    const spare = kept.pop();
    if (spare !== undefined) {
      closeSync(spare);
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(2 * waitMs, waitMsMax);
  }
}

/** Takes back what was given away, as far as there is any: before a call, so that it finds it again. */
function keepBack(): void {
  while (kept.length < keptMax) {
    try {
      kept.push(openSync(devNull, 'r'));
    } catch {
      return;
    }
  }
}

/** Of this process: whoever stores in it needs them one after the other. */
const kept: number[] = [];
/** A segment and its directory, a snapshot and its directory, a reader, a lock; and two more. */
const keptMax = 8;
const waitMsMin = 5;
const waitMsMax = 250;
