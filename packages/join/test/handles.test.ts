import { afterEach, beforeEach, expect, test } from 'vitest';
import { Browser } from './page.ts';

let browser: Browser;

beforeEach(() => {
  browser = new Browser();
});

afterEach(() => browser.close());

test("peerId of a page's handle is that of the host it reads and writes through", async () => {
  const a = browser.open('a');
  expect(a.cluster.peerId).toBeNull();
  expect(a.cluster.addresses).toEqual([]);
  await a.cluster.ready();
  expect(a.cluster.peerId).toMatch(/.+/);
  const b = browser.open('b');
  await b.cluster.ready();
  expect(b.cluster.peerId).not.toBe(a.cluster.peerId);
});
