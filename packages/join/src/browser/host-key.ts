/**
 * The keys of this tab's hosts outlive a reload: to the others it is the host that it was, and nobody has
 * to find out first that its last connection is dead. A tab that is duplicated begins with a copy of
 * what its original keeps, so a key is used only under a lock of its name (Z67), and whoever gets none
 * draws another.
 */
import { bytesFromHex, hexFromBytes } from '@quorate/contracts';
import type { RandomBytes } from '@quorate/contracts';
import { takeLock } from '@quorate/storage-indexeddb';
import type { SlotLocks } from './slots.ts';

export type HostKey = {
  readonly privateKey: Uint8Array;
  /** Another page may use it from now on. */
  release(): Promise<void>;
};

type Kept = { readonly name: string; readonly key: string };

/** Without locks, or where pages may keep nothing, each page draws a key of its own. */
export async function hostKey(options: {
  readonly locks: SlotLocks | undefined;
  readonly random: RandomBytes;
  readonly draw: () => Promise<Uint8Array>;
  readonly place?: () => Pick<Storage, 'getItem' | 'setItem'>;
}): Promise<HostKey> {
  const { locks, random, draw, place = () => sessionStorage } = options;
  if (locks === undefined) return alone(await draw());
  const kept = keptIn(place);
  for (const { name, key } of kept) {
    const held = await takeLock(locks, lockName(name));
    if (held !== null)
      return { privateKey: bytesFromHex(key), release: async () => held.release() };
  }
  const [name, privateKey] = [hexFromBytes(random(8)), await draw()];
  const held = await takeLock(locks, lockName(name));
  if (held === null) return alone(privateKey);
  const all = [...kept, { name, key: hexFromBytes(privateKey) }].slice(-keptCountMax);
  try {
    place().setItem(item, JSON.stringify(all));
  } catch {
    // It is used all the same, and gone with this page.
  }
  return { privateKey, release: async () => held.release() };
}

function alone(privateKey: Uint8Array): HostKey {
  return { privateKey, release: () => Promise.resolve() };
}

/** Anybody of the origin writes there: what is no key of ours counts as nothing. */
function keptIn(place: () => Pick<Storage, 'getItem'>): readonly Kept[] {
  try {
    const found: unknown = JSON.parse(place().getItem(item) ?? '[]');
    return Array.isArray(found) ? found.filter(isKept).slice(0, keptCountMax) : [];
  } catch {
    return [];
  }
}

function isKept(value: unknown): value is Kept {
  const { name, key } = (value ?? {}) as Partial<Kept>;
  return isHex(name, 8) && isHex(key, 68);
}

function isHex(text: unknown, byteCount: number): boolean {
  return typeof text === 'string' && text.length === 2 * byteCount && /^[0-9a-f]+$/.test(text);
}

function lockName(name: string): string {
  return `quorate host ${name}`;
}

const item = 'quorate hosts';
/** A page has a host for each of its slots, and its namespaces have slots of their own. */
const keptCountMax = 16;
