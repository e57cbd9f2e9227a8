/** Pages of one profile, whole members each, in one process. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Browser } from './page.ts';
import type { Page } from './page.ts';

let browser: Browser;
beforeEach(() => {
  browser = new Browser();
});
afterEach(async () => {
  await browser.close();
});

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 5 }).toBe(true);
}

function voters(page: Page): string[] {
  const { members } = page.cluster.status;
  return members.filter(({ kind }) => kind === 'voter').map(({ nodeId }) => nodeId);
}

/** All three replicas of the profile vote and are within reach. */
async function settled(page: Page): Promise<void> {
  await until(() => {
    const { members, phase } = page.cluster.status;
    const reachable = members.filter((one) => one.kind === 'voter' && one.reachable);
    return phase === 'ready' && reachable.length === 3;
  });
}

describe('tabs of one profile', { timeout: 60_000 }, () => {
  test('Z10 one tab writes at once, and grows to three replicas by itself', async () => {
    const a = browser.open('a');
    expect(await a.cluster.counter('clicks').add(1)).toBe(1);
    expect(voters(a)).toHaveLength(1);
    await settled(a);
    expect(await a.cluster.counter('clicks').add(1)).toBe(2);
    expect(a.cluster.status.durability).toBe('best-effort');
  });

  test('B1 three tabs share three replicas; what one writes the others read', async () => {
    const a = browser.open('a');
    await settled(a);
    const before = voters(a).sort();
    const b = browser.open('b');
    const c = browser.open('c');
    await Promise.all([a, b, c].map((page) => page.cluster.counter('clicks').add(1)));
    for (const page of [a, b, c]) expect(await page.cluster.counter('clicks').get()).toBe(3);
    await settled(c);
    for (const page of [a, b, c]) expect(voters(page).sort()).toEqual(before);
    const own = [a, b, c].map((page) => page.cluster.status.nodeId);
    expect([...own].sort()).toEqual(before);
  });

  test('B7 all closed and opened again: the same replicas, the same data', async () => {
    const a = browser.open('a');
    await a.cluster.kv.put('k', 'v');
    await settled(a);
    const before = voters(a).sort();
    a.leave();
    browser.profile.crash('a');
    const b = browser.open('b');
    expect(await b.cluster.kv.get('k')).toBe('v');
    await b.cluster.kv.put('k', 'w');
    expect(voters(b).sort()).toEqual(before);
  });

  test('B5 two of three tabs go at once, the last still writes', async () => {
    const a = browser.open('a');
    await settled(a);
    const b = browser.open('b');
    await b.cluster.counter('clicks').add(1);
    const c = browser.open('c');
    await c.cluster.counter('clicks').add(1);
    a.leave();
    b.leave();
    browser.profile.crash('a');
    browser.profile.crash('b');
    expect(await c.cluster.counter('clicks').add(1)).toBe(3);
    await settled(c);
  });

  test('Z6 B2 a page that comes back from the back/forward cache goes on as a new run', async () => {
    const a = browser.open('a');
    await settled(a);
    const b = browser.open('b');
    await b.cluster.counter('clicks').add(1);
    const seen: number[] = [];
    a.cluster.counter('clicks').subscribe((count) => seen.push(count));
    await until(() => seen.at(-1) === 1);
    a.leave();
    await b.cluster.counter('clicks').add(1);
    a.comeBack();
    await a.cluster.ready();
    expect(await a.cluster.counter('clicks').add(1)).toBe(3);
    await until(() => seen.at(-1) === 3);
    // It never showed a state that it had left behind.
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    await settled(b);
  });

  test('Z6 B3 a frozen page runs nothing and holds nothing; thawed it answers nothing stale', async () => {
    const a = browser.open('a');
    await settled(a);
    const b = browser.open('b');
    await b.cluster.kv.put('k', 'before');
    a.freeze();
    await expect(a.cluster.kv.put('k', 'frozen')).rejects.toMatchObject({ code: 'CLOSED' });
    await b.cluster.kv.put('k', 'after');
    a.thaw();
    expect(await a.cluster.kv.get('k')).toBe('after');
  });

  test('a fourth tab is a learner in memory, takes part in full, and is forgotten', async () => {
    const a = browser.open('a', { policy: { forgetMemoryAfterMs: 1_000 } });
    await settled(a);
    const others = [browser.open('b'), browser.open('c')];
    for (const page of others) await page.cluster.ready();
    const d = browser.open('d');
    expect(await d.cluster.counter('clicks').add(1)).toBe(1);
    expect(d.cluster.status).toMatchObject({ durability: 'memory', raft: { role: 'learner' } });
    expect(voters(d)).toHaveLength(3);
    expect(d.cluster.status.members).toHaveLength(4);
    d.leave();
    browser.profile.crash('d');
    await until(() => a.cluster.status.members.length === 3);
  });

  test('B4 the leader moves to the tab that is looked at', async () => {
    const a = browser.open('a');
    await settled(a);
    const b = browser.open('b');
    await b.cluster.ready();
    await settled(b);
    a.show('hidden');
    b.show('visible');
    const mine = (): boolean => {
      const leader = b.cluster.status.members.find((member) => member.leader);
      return leader?.label.startsWith('b') === true;
    };
    await until(mine);
    expect(await a.cluster.counter('clicks').add(1)).toBe(1);
  });

  test('a page without Web Locks or IndexedDB says what is missing', async () => {
    const bare = browser.open('bare', {}, { locks: undefined });
    await expect(bare.cluster.ready()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(bare.cluster.status).toMatchObject({ phase: 'stopped', reason: 'UNSUPPORTED' });
    expect(bare.cluster.status.message).toContain('Web Locks');
    const closed = browser.open('closed', {}, { indexedDB: undefined });
    await expect(closed.cluster.kv.put('a', 1)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
