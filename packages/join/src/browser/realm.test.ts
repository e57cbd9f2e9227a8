import { describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '@quorate/contracts';
import { Browser } from '../../test/page.ts';
import { relaysRealm, tabsRealm } from './realm.ts';
import type { Environment } from './environment.ts';

describe('realms', () => {
  test('Z35 tabs and networked pages of one namespace share no name', () => {
    const environment = {} as Environment;
    const tabs = tabsRealm({ namespace: 'notes' }, environment);
    const relays = relaysRealm({ namespace: 'notes', relays: ['ws://a:1'] }, environment);
    expect([tabs.name, relays.name]).toEqual(['tabs notes', 'relays notes']);
  });

  test.each(['/ip6/zz/tcp/7800/ws', '/ip4/300.1.1.1/tcp/7800/ws'])(
    'T29 %s: what only the network can tell of an address is the caller’s mistake',
    async (relay) => {
      const environment = { clock: systemClock, random: systemRandom } as Environment;
      const { network } = relaysRealm(
        { namespace: 'notes', relays: [relay], secret: 'public' },
        environment,
      );
      await expect(network()).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: expect.stringContaining(relay) as string,
      });
    },
  );

  test('Z35 every lock and every database of a page names the realm', async () => {
    const browser = new Browser();
    const page = browser.open('a');
    await page.cluster.kv.put('k', 'v');
    const realm = `tabs ${browser.namespace}`;
    const { held = [] } = (await browser.profile.locks('b').query?.()) ?? {};
    const slots = held.map(({ name = '' }) => name).filter((name) => name.endsWith(' 0'));
    expect(slots).toContain(`quorate ${realm} slot 0`);
    for (const { name } of held) expect(name).toContain(realm);
    const databases = (await browser.indexedDB.databases()).map(({ name }) => name);
    expect(databases).toContain(`quorate ${realm} 0`);
    // The origin has one record keeper; what it keeps is named by realm.
    for (const name of databases) {
      if (name !== 'quorate register') expect(name).toContain(realm);
    }
    await browser.close();
  });
});
