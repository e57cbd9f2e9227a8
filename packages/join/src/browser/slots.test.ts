import { systemClock } from '@quorate/contracts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Profile } from '../../test/profile.ts';
import { Slots } from './slots.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** One tab with its slots, and what became of them. */
class Tab {
  readonly adopted: number[] = [];
  readonly spared: number[] = [];
  readonly yieldedTo: string[][] = [];
  first: number | null | undefined = undefined;
  needed = false;
  visible = false;
  slow = false;
  /** How long its replicas take to stop. */
  spareMs = 0;
  readonly slots: Slots;

  constructor(profile: Profile, name: string) {
    this.slots = new Slots({
      name: 'test',
      count: 3,
      tab: name,
      locks: profile.locks(name),
      channel: profile.channel(name),
      clock: systemClock,
      events: {
        adopted: (slot) => this.adopted.push(slot),
        spare: (slot) => {
          if (slot === this.first) return false;
          this.spared.push(slot);
          return new Promise((resolve) => setTimeout(resolve, this.spareMs));
        },
        isNeeded: () => this.needed,
        isVisible: () => this.visible,
        isSlow: () => this.slow,
        replicas: () => [`replica of ${name}`],
        yieldTo: (replicas) => this.yieldedTo.push([...replicas]),
      },
    });
  }

  async open(): Promise<this> {
    const opening = this.slots.first().then((slot) => {
      this.first = slot;
    });
    for (let i = 0; i < 200 && this.first === undefined; i++) await vi.advanceTimersByTimeAsync(25);
    await opening;
    return this;
  }
}

async function settle(ms = 3_000): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

describe('slots of a browser profile', () => {
  test('the first tab takes one at once, and all others after a reload would be over', async () => {
    const tab = await new Tab(new Profile(), 'a').open();
    expect(tab.first).toBe(0);
    expect(tab.adopted).toEqual([]);
    await settle();
    expect(tab.adopted.sort()).toEqual([1, 2]);
    expect(tab.slots.hasAll).toBe(true);
  });

  test('Z20 a slot that is needed for the quorum is adopted at once', async () => {
    const tab = new Tab(new Profile(), 'a');
    tab.needed = true;
    await tab.open();
    await settle(100);
    expect(tab.adopted.sort()).toEqual([1, 2]);
  });

  test('a second tab is handed one, a third another; a fourth lives without', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const b = await new Tab(profile, 'b').open();
    expect(b.first).not.toBeNull();
    const c = await new Tab(profile, 'c').open();
    expect(new Set([a.first, b.first, c.first]).size).toBe(3);
    const d = await new Tab(profile, 'd').open();
    expect(d.first).toBeNull();
    await settle(10_000);
    expect([a, b, c, d].map((tab) => tab.slots.count)).toEqual([1, 1, 1, 0]);
  });

  test('a tab that can get none hears so from those who have them, and waits for nothing', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const b = await new Tab(profile, 'b').open();
    // It is about to hand over its last one to spare, which takes a while.
    a.spareMs = 1_000;
    const c = new Tab(profile, 'c').open();
    await settle(10);
    const d = new Tab(profile, 'd');
    let slot: number | null | undefined;
    void d.slots.first().then((first) => (slot = first));
    await settle(10);
    expect(slot).toBeNull();
    await settle(2_000);
    expect((await c).first).not.toBeNull();
    expect([a, b, await c, d].map((tab) => tab.slots.count)).toEqual([1, 1, 1, 0]);
  });

  test('a tab that stands still answers nothing: others begin without it, and get a slot later', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const channel = profile.channel('nobody');
    const asked: unknown[] = [];
    channel.onmessage = ({ data }) => asked.push(data);
    profile.suspend('a');
    const b = new Tab(profile, 'b');
    const opening = b.open();
    await settle(1_900);
    expect(b.first).toBeUndefined();
    await settle(200);
    await opening;
    expect(b.first).toBeNull();
    profile.resume('a');
    await settle(2_000);
    expect([a.slots.count, b.slots.count]).toEqual([2, 1]);
    expect(b.adopted).toHaveLength(1);
    expect(asked).toContainEqual({ type: 'want', tab: 'b', count: 0, visible: false });
  });

  test('Z20 a slot handed over goes to the tab named, though others wait longer', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const others = [await new Tab(profile, 'b').open(), await new Tab(profile, 'c').open()];
    const late = await new Tab(profile, 'd').open();
    expect(late.first).toBeNull();
    // One of the three leaves; whoever is next in the queue keeps its slot for a reload.
    profile.crash('b');
    await settle(100);
    const again = await new Tab(profile, 'b2').open();
    expect(again.first).toBe(others[0]!.first);
    await settle(10_000);
    expect(late.adopted).toEqual([]);
    expect(a.slots.count + others[1]!.slots.count + again.slots.count).toBe(3);
  });

  test('Z20 a lock that comes before the word for whom it is goes on to the tab named', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const b = await new Tab(profile, 'b').open();
    await settle();
    // The one that can give is a little slow, and so is its word to the one that cannot.
    profile.suspend('a');
    const c = new Tab(profile, 'c');
    const opening = c.slots.first();
    await settle(100);
    profile.suspend('b');
    profile.resume('a');
    await settle(100);
    expect([a.slots.count, b.slots.count, c.slots.count]).toEqual([1, 2, 0]);
    profile.resume('b');
    await settle(100);
    expect([a.slots.count, b.slots.count, c.slots.count]).toEqual([1, 1, 1]);
    expect(await opening).not.toBeNull();
    await settle(10_000);
    expect([a.slots.count, b.slots.count, c.slots.count]).toEqual([1, 1, 1]);
    expect(b.adopted).toEqual([]);
  });

  test('B2 the slots of a tab that crashed are adopted by those that are left', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const b = await new Tab(profile, 'b').open();
    await settle();
    b.needed = true;
    profile.crash('a');
    await settle(200);
    expect(b.slots.hasAll).toBe(true);
    expect([b.first, ...b.adopted].sort()).toEqual([0, 1, 2]);
    expect(a.first).toBe(0);
  });

  test('Z2 nobody runs a slot that another tab holds, whatever happens', async () => {
    const profile = new Profile();
    const tabs: Tab[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) tabs.push(await new Tab(profile, name).open());
    tabs[0]!.slots.close();
    await settle();
    tabs[3]!.slots.close();
    await settle();
    tabs.push(await new Tab(profile, 'f').open());
    await settle(10_000);
    const { held = [] } = await profile.locks('observer').query!();
    expect(held.map(({ name }) => name).sort()).toEqual([
      'quorate test slot 0',
      'quorate test slot 1',
      'quorate test slot 2',
    ]);
    expect(tabs.reduce((sum, tab) => sum + tab.slots.count, 0)).toBe(3);
  });

  test('the tab that a person looks at gets the majority of what a hidden one can spare', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    const b = new Tab(profile, 'b');
    b.visible = true;
    await b.open();
    b.slots.shown();
    await settle();
    expect([a.slots.count, b.slots.count]).toEqual([1, 2]);
    // And back, when the person turns to the other one.
    b.visible = false;
    a.visible = true;
    a.slots.shown();
    await settle();
    expect([a.slots.count, b.slots.count]).toEqual([2, 1]);
  });

  test('B4 a hidden leader hears whose replicas are looked at', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    const b = await new Tab(profile, 'b').open();
    b.visible = true;
    b.slots.shown();
    await settle();
    expect(a.yieldedTo).toContainEqual(['replica of b']);
    expect(b.yieldedTo).toEqual([]);
  });

  test('B4 a hidden tab with a slow clock lets those lead that have a better one, hidden or not', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    const b = await new Tab(profile, 'b').open();
    const c = await new Tab(profile, 'c').open();
    c.slow = true;
    a.slots.hidden();
    await settle(10);
    expect([...a.yieldedTo, ...b.yieldedTo, ...c.yieldedTo]).toEqual([]);
    a.slow = true;
    a.slots.hidden();
    await settle(10);
    expect(a.yieldedTo).toEqual([['replica of b']]);
    // All are slow: it stays where it is.
    b.slow = true;
    a.slots.hidden();
    await settle(10);
    expect(a.yieldedTo).toHaveLength(1);
  });

  test('a promise that the promiser does not live to keep is kept by its lock', async () => {
    const profile = new Profile();
    await new Tab(profile, 'a').open();
    await settle();
    const b = new Tab(profile, 'b');
    const opening = b.slots.first();
    await vi.advanceTimersByTimeAsync(1);
    profile.crash('a');
    await settle(10_000);
    expect(await opening).not.toBeNull();
  });

  test('a replica that failed is tried again later', async () => {
    const tab = await new Tab(new Profile(), 'a').open();
    await settle();
    tab.slots.giveUp(2);
    expect(tab.slots.count).toBe(2);
    await settle(10_000);
    expect(tab.adopted.filter((slot) => slot === 2)).toHaveLength(2);
  });

  test('Z6 a closed tab holds nothing, asks for nothing, and answers nothing', async () => {
    const profile = new Profile();
    const a = await new Tab(profile, 'a').open();
    await settle();
    a.slots.close();
    expect(a.slots.count).toBe(0);
    await settle(1);
    const b = await new Tab(profile, 'b').open();
    expect(b.first).toBe(0);
    await settle();
    expect(b.slots.hasAll).toBe(true);
    expect(a.spared).toEqual([]);
  });
});
