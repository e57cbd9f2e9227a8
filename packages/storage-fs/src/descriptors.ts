/**
 * Descriptors that are kept back for the disk, lest the sockets of strangers stand between a member and
 * what it stores (Z46).
 */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { withDescriptors } from '@quorate/contracts/descriptors';

/** Resolves as `call` does; for want of a descriptor it gets one that was kept, and else waits. */
export function withKeptDescriptors<T>(call: () => Promise<T>): Promise<T> {
  keepBack();
  return withDescriptors(call, giveBack);
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

function giveBack(): boolean {
  const spare = kept.pop();
  if (spare === undefined) return false;
  closeSync(spare);
  return true;
}

/** Of this process: whoever stores in it needs them one after the other. */
const kept: number[] = [];
/** A segment and its directory, a snapshot and its directory, a reader, a lock; and two more. */
const keptMax = 8;
