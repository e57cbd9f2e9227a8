/** T4: a profile's replicas belong to the secret they were made with, whoever opens a page of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemRandom } from '@quorate/contracts';
import { createCipher } from '@quorate/crypto';
import { IndexedDbStorage } from '@quorate/storage-indexeddb';
import type { JoinOptions } from '../src/options.ts';
import { createSecret } from '../src/secret.ts';
import { Browser } from './page.ts';
import type { Page } from './page.ts';

let browser: Browser;
beforeEach(() => {
  browser = new Browser();
});
afterEach(async () => {
  await browser.close();
});

const secrets: Readonly<Record<string, Partial<JoinOptions>>> = {
  none: {},
  one: { secret: createSecret() },
  another: { secret: createSecret() },
};

async function slotsHeldBy(tab: string): Promise<number> {
  const { held = [] } = (await browser.profile.locks('look').query?.()) ?? {};
  return held.filter(({ clientId, name }) => clientId === tab && name?.includes(' slot ')).length;
}

async function isRefused(page: Page): Promise<void> {
  await expect(page.cluster.ready()).rejects.toMatchObject({ code: 'BAD_SECRET' });
  expect(page.cluster.status).toMatchObject({ phase: 'stopped', reason: 'BAD_SECRET' });
  expect(page.cluster.kv.peek('kept')).toBeUndefined();
}

describe('T4 Z42 tabs of one profile', { timeout: 60_000 }, () => {
  test.each(
    Object.keys(secrets).flatMap((first) =>
      Object.keys(secrets).flatMap((second) => (first === second ? [] : [[first, second]])),
    ),
  )(
    'T4 secret %s first, then %s: refused, beside the first tab and after it',
    async (first, second) => {
      const owner = browser.open('owner', secrets[first]);
      await owner.cluster.kv.put('kept', 'private');
      const stranger = browser.open('stranger', secrets[second]);
      await isRefused(stranger);
      expect(await slotsHeldBy('stranger')).toBe(0);
      await owner.cluster.kv.put('kept', 'still');
      await owner.cluster.close();

      const later = browser.open('later', secrets[second]);
      await isRefused(later);
      expect(await slotsHeldBy('later')).toBe(0);
      await later.cluster.close();

      const again = browser.open('again', secrets[first]);
      expect(await again.cluster.kv.get('kept')).toBe('still');
    },
  );

  test('T29 T4 over a relay, while the page of the owner is away: BAD_SECRET, nothing shown', async () => {
    const { namespace, indexedDB } = browser;
    const [own, other] = [createSecret(), createSecret()];
    const name = `quorate relays ${namespace} 0`;
    const { topic } = createCipher({ namespace, secrets: own, random: systemRandom });
    const storage = new IndexedDbStorage({ name, indexedDB, locks: null });
    const nodeId = '1'.repeat(32);
    await storage.open({ create: true, newNodeId: nodeId, nonce: 'a'.repeat(16), topics: [topic] });
    await storage.load();
    const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
    const data = new Uint8Array(0);
    const entry = { term: 1, index: 1, type: 'noop', data } as const;
    await storage.persist({ number: 1, hardState, entries: [entry] });
    await storage.close();

    const relays = ['ws://127.0.0.1:9'];
    const stranger = browser.open('stranger', { relays, secret: other });
    await isRefused(stranger);
    expect(await slotsHeldBy('stranger')).toBe(0);
    // A ring with the secret in it comes past that, and waits for the relay.
    const owner = browser.open('owner', { relays, secret: [other, own] });
    await expect.poll(() => owner.cluster.status.nodeId, { timeout: 20_000 }).toBe(nodeId);
  });
});
