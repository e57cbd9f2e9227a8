/**
 * What to do about a want of descriptors (Z46): a call that found none changed nothing, so it is made
 * again. A sync or a rename needs none of its own: their failures stay final.
 */
import { systemClock } from '../system.ts';

/**
 * Resolves as `call` does, and calls it again after a failure for want of a descriptor (this process has
 * none left, or the machine) or after a signal that came before anything was done. `giveBack` frees one
 * that was kept for this, and says whether there was any.
 */
export async function withDescriptors<T>(
  call: () => Promise<T>,
  giveBack: () => boolean = () => false,
): Promise<T> {
  for (let waitMs = waitMsMin; ;) {
    try {
      return await call();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EINTR') continue;
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    }
    if (giveBack()) continue;
    await new Promise<void>((resolve) => {
      systemClock.setTimeout(resolve, waitMs);
    });
    waitMs = Math.min(2 * waitMs, waitMsMax);
  }
}

const waitMsMin = 5;
const waitMsMax = 250;
