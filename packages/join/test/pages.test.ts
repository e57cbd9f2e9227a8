/** Pages of one profile, whole members each, in one process. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IndexedDbStorage } from '@quorate/storage-indexeddb';
import { HeldFactory } from './held-factory.ts';
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

async function settledRequest(request: IDBOpenDBRequest): Promise<void> {
  await new Promise((resolve, reject) => {
    request.onsuccess = resolve;
    request.onerror = () => reject(new Error('the request failed'));
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

  test('T1 a page leaves a marked database as it is, and joins as a new replica under the next name', async () => {
    const a = browser.open('a');
    await settled(a);
    expect(await a.cluster.counter('clicks').add(1)).toBe(1);
    const before = voters(a);
    await a.cluster.close();
    const name = `quorate tabs ${browser.namespace} 0`;
    const open = async (database: string, nonce: string): Promise<unknown> => {
      const storage = new IndexedDbStorage({
        name: database,
        indexedDB: browser.indexedDB,
        locks: null,
      });
      const run = await storage
        .open({ create: false, newNodeId: '00'.repeat(16), nonce })
        .catch((error: unknown) => error);
      if (!(run instanceof Error) && nonce === 'ab'.repeat(8)) {
        const mark = {
          code: 'REPLICA_CLONED',
          message: 'as a test',
          others: [],
          seatGivenUp: false,
        } as const;
        await storage.mark(mark);
      }
      await storage.close();
      return run;
    };
    const marked = (await open(name, 'ab'.repeat(8))) as { nodeId: string };
    const again = browser.open('again');
    await until(() => again.cluster.status.phase === 'ready');
    expect(await again.cluster.counter('clicks').add(1)).toBe(2);
    expect(before).toContain(marked.nodeId);
    await again.cluster.close();
    expect(await open(name, 'cd'.repeat(8))).toMatchObject({
      code: 'REPLICA_CLONED',
    });
    const next = (await open(`${name}#2`, 'cd'.repeat(8))) as { nodeId: string };
    expect(before).not.toContain(next.nodeId);
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

  test('Z1 Z20 a slot handed over while its store is still being opened is run by the one who got it', async () => {
    const slow = new HeldFactory(browser.indexedDB, ' 2');
    const a = browser.open('a', {}, { indexedDB: slow as unknown as IDBFactory });
    await a.cluster.ready();
    // It has adopted the third slot, and waits for the store.
    await until(() => slow.heldCount > 0);
    const b = browser.open('b');
    await until(() => b.cluster.status.raft.epoch > 0);
    slow.letGo();
    await b.cluster.kv.put('k', 'v');
    await settled(b);
    expect(b.cluster.status.phase).toBe('ready');
    expect(await b.cluster.kv.get('k')).toBe('v');
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

  test('Z9 B8 only the register and a replica are deleted: nobody founds a second cluster', async () => {
    const a = browser.open('a');
    await a.cluster.kv.put('k', 'v');
    await settled(a);
    // Also the membership is on all disks: without that the loss of one could be that of a majority.
    await until(() => {
      const { members, raft } = a.cluster.status;
      const isEverywhere = members.every(({ matchIndex }) => matchIndex === raft.lastIndex);
      return isEverywhere && raft.commitIndex === raft.lastIndex;
    });
    const { clusterId } = a.cluster.status;
    const before = voters(a);
    const { nodeId } = a.cluster.status;
    a.leave();
    browser.profile.crash('a');
    for (const name of ['quorate register', `quorate tabs ${browser.namespace} 0`]) {
      await settledRequest(browser.indexedDB.deleteDatabase(name));
    }
    const b = browser.open('b');
    const messages = new Set<string>();
    b.cluster.subscribe(({ message }) => messages.add(message));
    expect(await b.cluster.kv.get('k', { timeoutMs: 20_000 })).toBe('v');
    expect(b.cluster.status.clusterId).toBe(clusterId);
    expect([...messages].join()).toContain('Waiting for a replica that knows the cluster');
    // The new replica is none of the old ones, and takes the place of the one that is gone.
    expect(before).not.toContain(b.cluster.status.nodeId);
    expect(voters(b)).toEqual(expect.arrayContaining(before.filter((one) => one !== nodeId)));
  });

  test('Z10 B8 only the replicas are deleted and the register names them: there is a new cluster', async () => {
    const a = browser.open('a');
    await a.cluster.kv.put('k', 'v');
    await settled(a);
    const { clusterId } = a.cluster.status;
    a.leave();
    browser.profile.crash('a');
    for (const slot of [0, 1, 2]) {
      const name = `quorate tabs ${browser.namespace} ${slot}`;
      await settledRequest(browser.indexedDB.deleteDatabase(name));
    }
    const b = browser.open('b');
    expect(await b.cluster.counter('clicks').add(1)).toBe(1);
    await settled(b);
    expect(b.cluster.status.clusterId).not.toBe(clusterId);
    expect(await b.cluster.kv.get('k')).toBeUndefined();
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
    await b.cluster.kv.put('k', 'after');
    a.thaw();
    expect(await a.cluster.kv.get('k')).toBe('after');
  });

  test('Z6 B3 what a page is asked while it is frozen or put aside is done once it goes on', async () => {
    const a = browser.open('a');
    await settled(a);
    const b = browser.open('b');
    await b.cluster.counter('clicks').add(1);
    for (const [stop, goOn] of [
      ['freeze', 'thaw'],
      ['leave', 'comeBack'],
    ] as const) {
      // Neither has left by then: a call leaves with the end of its turn.
      const before = [a.cluster.counter('clicks').add(1), a.cluster.kv.get('k')] as const;
      a[stop]();
      const meanwhile = a.cluster.counter('clicks').add(1);
      const ready = a.cluster.ready();
      const impatient = a.cluster.kv.put('k', 'never', { timeoutMs: 20 });
      await expect(impatient).rejects.toMatchObject({ code: 'TIMEOUT' });
      const seen = await b.cluster.counter('clicks').add(1);
      a[goOn]();
      await ready;
      expect(await before[0]).toBe(seen + 1);
      expect(await before[1]).toBeUndefined();
      expect(await meanwhile).toBe(seen + 2);
    }
  });

  test('Z4 a page whose replica another run has taken goes on with another life', async () => {
    const a = browser.open('a');
    await settled(a);
    const { nodeId } = a.cluster.status;
    const phases = new Set<string>();
    a.cluster.subscribe(({ phase }) => phases.add(phase));
    // A run that comes late, such as that of a page which is gone by then.
    const late = new IndexedDbStorage({
      name: `quorate tabs ${browser.namespace} 0`,
      indexedDB: browser.indexedDB,
      locks: null,
    });
    const nonce = '00000000000000ff';
    const run = await late.open({ create: false, newNodeId: nonce + nonce, nonce });
    expect(run.nodeId).toBe(nodeId);
    await late.close();
    expect(await a.cluster.counter('clicks').add(1)).toBe(1);
    await settled(a);
    expect(a.cluster.status.raft.epoch).toBeGreaterThan(run.epoch);
    expect(phases).not.toContain('stopped');
    expect(voters(a)).toContain(nodeId);
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

  test('B4 a hidden page without a clock of its own lets one lead that has one', async () => {
    const a = browser.open('a', {}, { clockName: () => 'page' });
    await settled(a);
    const b = browser.open('b');
    await settled(b);
    b.show('hidden');
    a.show('hidden');
    await until(() => {
      const leader = b.cluster.status.members.find((member) => member.leader);
      return leader?.label.startsWith('b') === true;
    });
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
