/** Tabs of a site that has no room left. */
import { expect } from '@playwright/test';
import type { BrowserContext } from '@playwright/test';
import { patience } from './tab.ts';
import type { Tab } from './tab.ts';
import { test } from './test.ts';

/**
 * While `full` stands in the site's local storage every transaction that puts a record ends as one does
 * that finds no room; one that only deletes goes through.
 */
async function limit(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const isFull = (): boolean => localStorage.getItem('full') !== null;
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function refused(value: unknown, key?: IDBValidKey) {
      const { transaction } = this;
      const request = put.call(this, value, key);
      if (!isFull()) return request;
      const error = new DOMException('There is no room', 'QuotaExceededError');
      request.addEventListener('success', () => {
        Object.defineProperty(transaction, 'error', { configurable: true, value: error });
        try {
          transaction.abort();
        } catch {
          // Another of its puts was faster.
        }
      });
      return request;
    };
    // What was told to commit cannot be aborted any more.
    const { commit } = IDBTransaction.prototype;
    IDBTransaction.prototype.commit = function unlessFull() {
      if (!isFull()) commit.call(this);
    };
  });
}

async function setFull(tab: Tab, isFull: boolean): Promise<void> {
  await tab.page.evaluate((full) => {
    if (full) localStorage.setItem('full', 'yes');
    else localStorage.removeItem('full');
  }, isFull);
}

async function state(tab: Tab): Promise<unknown> {
  const { phase, canWrite, reason } = await tab.status();
  return { phase, canWrite, reason };
}

/** What a write comes to, in a word. */
function attempt(tab: Tab, key: string): Promise<string> {
  return tab.page.evaluate(
    (name) =>
      globalThis.app.put(name, 1).then(
        () => 'done',
        (error: { code: string; outcome: string }) => `${error.code} ${error.outcome}`,
      ),
    key,
  );
}

test('T20 a site without room: writes are refused, a tab that is opened shows what there is and waits, all goes on by itself', async ({
  world,
}) => {
  await limit(world.profile.context);
  const tab = await world.openTab();
  await tab.untilReady();
  for (const key of ['shown', 'after it']) expect(await attempt(tab, key)).toBe('done');
  await world.untilVoters(3);
  // The reserve is there a while after the start.
  await expect
    .poll(() => tab.page.evaluate(() => globalThis.app.storedBytes()), patience)
    .toBeGreaterThan(3 * 262_144);
  await setFull(tab, true);
  const caught = attempt(tab, 'caught');
  await expect
    .poll(() => state(tab), patience)
    .toEqual({ phase: 'ready', canWrite: false, reason: 'STORAGE_FULL' });
  expect(await attempt(tab, 'refused')).toBe('STORAGE_FULL not-applied');
  expect(await tab.page.evaluate(() => globalThis.app.peek('shown'))).toBe(1);
  await setFull(tab, false);
  await tab.untilReady();
  expect(['done', 'STORAGE_FULL not-applied']).toContain(await caught);
  expect(await attempt(tab, 'later')).toBe('done');
  expect(await attempt(tab, 'last')).toBe('done');

  await setFull(tab, true);
  await tab.reload();
  await expect
    .poll(() => state(tab), patience)
    .toEqual({ phase: 'starting', canWrite: false, reason: 'STORAGE_FULL' });
  const shown = (): Promise<unknown> =>
    tab.page.evaluate(() => [globalThis.app.peek('shown'), globalThis.app.peek('later')]);
  await expect.poll(shown, patience).toEqual([1, 1]);
  await setFull(tab, false);
  await tab.untilReady();
  expect(await attempt(tab, 'at last')).toBe('done');
  const kept = ['shown', 'later', 'last', 'at last', 'refused'];
  const values = await tab.page.evaluate(
    (keys) => Promise.all(keys.map((key) => globalThis.app.get(key))),
    kept,
  );
  expect(values).toEqual([1, 1, 1, 1, undefined]);
});
