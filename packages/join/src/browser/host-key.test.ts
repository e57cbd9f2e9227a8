import { describe, expect, test } from 'vitest';
import { Profile } from '../../test/profile.ts';
import { hostKey } from './host-key.ts';
import type { HostKey } from './host-key.ts';

/** What a tab keeps for its session. */
class Session {
  readonly items: Map<string, string>;

  constructor(items: Iterable<readonly [string, string]> = []) {
    this.items = new Map(items);
  }

  readonly place = (): Pick<Storage, 'getItem' | 'setItem'> => ({
    getItem: (name) => this.items.get(name) ?? null,
    setItem: (name, value) => void this.items.set(name, value),
  });
}

let drawn = 0;

async function take(profile: Profile, tab: string, session: Session): Promise<HostKey> {
  return hostKey({
    locks: profile.locks(tab),
    random: (count) => new Uint8Array(count).fill(++drawn),
    draw: () => Promise.resolve(new Uint8Array(68).fill(++drawn)),
    place: session.place,
  });
}

describe('hostKey()', () => {
  test('T23 a page that comes back has the key that it had', async () => {
    const [profile, session] = [new Profile(), new Session()];
    const first = await take(profile, 'a', session);
    await first.release();
    expect((await take(profile, 'a', session)).privateKey).toEqual(first.privateKey);
  });

  test('T23 Z67 a duplicated tab, which has a copy of the key, draws another and keeps that', async () => {
    const [profile, session] = [new Profile(), new Session()];
    const original = await take(profile, 'a', session);
    const copied = new Session(session.items);
    const copy = await take(profile, 'b', copied);
    expect(copy.privateKey).not.toEqual(original.privateKey);
    await copy.release();
    expect((await take(profile, 'b', copied)).privateKey).toEqual(copy.privateKey);
  });

  test('T23 two hosts of one page have two keys', async () => {
    const [profile, session] = [new Profile(), new Session()];
    const one = await take(profile, 'a', session);
    const other = await take(profile, 'a', session);
    expect(one.privateKey).not.toEqual(other.privateKey);
  });

  test('Z67 without locks each page draws its own, and keeps nothing', async () => {
    const session = new Session();
    const key = await hostKey({
      locks: undefined,
      random: (count) => new Uint8Array(count),
      draw: () => Promise.resolve(new Uint8Array(68).fill(9)),
      place: session.place,
    });
    expect(key.privateKey).toEqual(new Uint8Array(68).fill(9));
    expect(session.items.size).toBe(0);
  });

  test.each([['{ nonsense'], ['null'], ['[{"name":"x","key":"y"},null,7]'], ['{"length":1}']])(
    'T23 %s in the place of keys counts as nothing',
    async (text) => {
      const [profile, session] = [new Profile(), new Session([['quorate hosts', text]])];
      const key = await take(profile, 'a', session);
      await key.release();
      expect((await take(profile, 'a', session)).privateKey).toEqual(key.privateKey);
    },
  );

  test('T23 a page that may keep nothing draws a key each time', async () => {
    const profile = new Profile();
    const key = await hostKey({
      locks: profile.locks('a'),
      random: (count) => new Uint8Array(count),
      draw: () => Promise.resolve(new Uint8Array(68)),
      place: () => {
        throw new Error('SecurityError');
      },
    });
    expect(key.privateKey).toHaveLength(68);
  });
});
