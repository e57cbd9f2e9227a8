/** Pages that cannot keep a replica say so, and what it would take. */
import { expect } from '@playwright/test';
import { patience } from './tab.ts';
import type { Tab } from './tab.ts';
import { test } from './test.ts';

async function expectUnsupported(tab: Tab, why: RegExp): Promise<void> {
  const state = async (): Promise<unknown> => {
    const { phase, reason, canWrite } = await tab.status();
    return { phase, reason, canWrite };
  };
  await expect
    .poll(state, patience)
    .toEqual({ phase: 'stopped', reason: 'UNSUPPORTED', canWrite: false });
  expect((await tab.status()).message).toMatch(why);
  // At once, and without a doubt.
  expect(await tab.mark()).toBe(false);
  expect(tab.said('refused').at(-1)).toMatchObject({ outcome: 'not-applied', code: 'UNSUPPORTED' });
}

test('B11 a page without a secure context says what it wants', async ({ world }) => {
  const tab = await world.openTab('plain-http', { base: world.site.insecure });
  expect(await tab.page.evaluate(() => isSecureContext)).toBe(false);
  await expectUnsupported(tab, /https or localhost/);
});

test('B11 a page without Web Locks says what it wants', async ({ world }) => {
  await world.profile.context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });
  });
  const tab = await world.openTab();
  await expectUnsupported(tab, /Web Locks/);
});

test('B11 a page without IndexedDB says what it wants', async ({ world }) => {
  await world.profile.context.addInitScript(() => {
    Object.defineProperty(globalThis, 'indexedDB', {
      get: () => {
        throw new DOMException('The operation is insecure.', 'SecurityError');
      },
    });
  });
  const tab = await world.openTab();
  await expectUnsupported(tab, /IndexedDB/);
});
