/** Tabs that come, go, crash and are looked at, at random; seeds that fail are named by the test. */
import { systemClock } from '@quorate/contracts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Slots } from '../src/browser/slots.ts';
import { Profile } from './profile.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class World {
  readonly profile: Profile = new Profile();
  /** Who runs each slot's replica. */
  readonly running = new Map<number, RandomTab>();
  readonly tabs: RandomTab[] = [];
  readonly random: () => number;
  #opened = 0;

  constructor(seed: number) {
    let state = seed * 2_654_435_761 + 1;
    // xorshift: enough for a schedule.
    this.random = () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) / 2 ** 32;
    };
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  open(): void {
    this.#opened += 1;
    this.tabs.push(new RandomTab(this, `tab-${this.#opened}`));
  }

  /** A tab is gone: nothing of it runs. */
  gone(tab: RandomTab): void {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    for (const [slot, owner] of this.running) if (owner === tab) this.running.delete(slot);
  }

  run(slot: number, tab: RandomTab): void {
    if (tab.over) return;
    expect(this.running.get(slot), `slot ${slot} is run by one tab`).toBeUndefined();
    this.running.set(slot, tab);
  }

  async step(): Promise<void> {
    const tab = this.tabs[this.below(this.tabs.length)];
    const dice = this.random();
    if (tab === undefined || (dice < 0.25 && this.tabs.length < 6)) this.open();
    else if (dice < 0.35) tab.leave();
    else if (dice < 0.45) tab.crash();
    else if (dice < 0.75) {
      for (const other of this.tabs) other.visible = other === tab;
      tab.slots.shown();
    }
    await vi.advanceTimersByTimeAsync(this.below(this.random() < 0.5 ? 20 : 2_500));
  }
}

class RandomTab {
  readonly name: string;
  readonly slots: Slots;
  readonly #world: World;
  visible = false;
  over = false;
  #first: number | null = null;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.slots = new Slots({
      name: 'random',
      count: 3,
      tab: name,
      locks: world.profile.locks(name),
      channel: world.profile.channel(name),
      clock: systemClock,
      events: {
        adopted: (slot) => world.run(slot, this),
        spare: (slot) => (slot === this.#first ? false : this.#spare(slot)),
        isNeeded: () => world.running.size < 2,
        isVisible: () => this.visible,
        isSlow: () => false,
        replicas: () => [],
        yieldTo: () => undefined,
      },
    });
    void this.slots.first().then((slot) => {
      this.#first = slot;
      if (slot !== null) world.run(slot, this);
    });
  }

  leave(): void {
    this.over = true;
    this.#world.gone(this);
    this.slots.close();
  }

  crash(): void {
    this.over = true;
    this.#world.gone(this);
    this.#world.profile.crash(this.name);
  }

  /** To stop a replica takes a while. */
  async #spare(slot: number): Promise<void> {
    await new Promise<void>((resolve) => setTimeout(resolve, this.#world.below(300)));
    if (this.#world.running.get(slot) === this) this.#world.running.delete(slot);
  }
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'Z2 Z20 a slot is run by one tab at a time, and every slot by some tab in the end (seed %i)',
  async (seed) => {
    const world = new World(seed);
    for (let i = 0; i < 60; i++) await world.step();
    if (world.tabs.length === 0) world.open();
    // Promises, reloads and retries are over by then.
    await vi.advanceTimersByTimeAsync(20_000);
    expect([...world.running.keys()].sort()).toEqual([0, 1, 2]);
    for (const tab of [...world.tabs]) tab.leave();
  },
);
