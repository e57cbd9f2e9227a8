import { describe, expect, test } from 'vitest';
import { systemClock } from '@quorate/contracts';
import { Door, defaultDoorLimits } from './door.ts';
import type { Visit } from './door.ts';

/** A caller whose silence is set by hand. */
class Someone {
  silent = true;
  hasGone = false;

  isSilent(): boolean {
    return this.silent;
  }

  giveWay(): void {
    this.hasGone = true;
  }
}

function doorOf(limits: Partial<typeof defaultDoorLimits> = {}): {
  readonly door: Door;
  come(source: string | null): { readonly one: Someone; readonly visit: Visit | null };
  pass(ms: number): void;
} {
  let nowMs = 0;
  const clock = { ...systemClock, now: () => nowMs };
  const door = new Door({ ...defaultDoorLimits, ...limits }, clock);
  return {
    door,
    come: (source) => {
      const one = new Someone();
      return { one, visit: door.enter(one, source) };
    },
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

describe('Door', () => {
  test('T24 lets 32 pending and 1,024 proven connections of an address in, and 4,096 in all', () => {
    const { door, come } = doorOf();
    for (let address = 0; address < 4; address += 1) {
      for (let at = 0; at < 1_024; at += 1) {
        const { visit } = come(`a${address}`);
        expect(visit?.isUpgraded('anybody')).toBe(true);
      }
      if (address < 3) expect(come(`a${address}`).visit).toBeNull();
    }
    expect(door.count).toBe(4_096);
    expect(come('another').visit).toBeNull();
    expect(door.refused).toBe(4);
    expect(door.gaveWay).toBe(0);
  });

  test('T24 of 32 pending ones the oldest silent one gives way, and no other address is touched', () => {
    const { door, come } = doorOf();
    const other = come('b');
    const all = Array.from({ length: 32 }, () => come('a'));
    all[0]!.one.silent = false;
    expect(come('a').visit).not.toBeNull();
    expect(all.map(({ one }) => one.hasGone).indexOf(true)).toBe(1);
    expect(other.one.hasGone).toBe(false);
    expect([door.count, door.pendingCount, door.gaveWay]).toEqual([33, 33, 1]);
  });

  test('T24 who speaks is not turned out by newcomers, unless it takes longer than a second', () => {
    const { come, pass } = doorOf({ pendingPerAddress: 2 });
    const all = [come('a'), come('a')];
    for (const { one } of all) one.silent = false;
    expect(come('a').visit).toBeNull();
    pass(1_000);
    expect(come('a').visit).not.toBeNull();
    expect(all.map(({ one }) => one.hasGone)).toEqual([true, false]);
  });

  test('T24 a connection is counted where it turns out to be from, once', () => {
    const { door, come } = doorOf({ pendingPerAddress: 1, connectionsPerAddress: 2 });
    const first = come(null);
    const second = come(null);
    expect(first.visit?.isOf('a')).toBe(true);
    expect(first.visit?.isOf('a')).toBe(true);
    second.one.silent = false;
    first.one.silent = false;
    expect(second.visit?.isOf('a')).toBe(false);
    expect(door.count).toBe(1);
    expect(first.visit?.isUpgraded('p')).toBe(true);
    expect(come('a').visit?.isUpgraded('p')).toBe(true);
    expect(come('a').visit).toBeNull();
    first.visit?.leave();
    first.visit?.leave();
    expect(door.count).toBe(1);
    expect(come('a').visit).not.toBeNull();
  });

  test('T24 without an address connections are counted by peer, from the proof on', () => {
    const { door, come } = doorOf({ pendingPerAddress: 1, connectionsPerAddress: 2 });
    const visits = Array.from({ length: 4 }, () => come(null).visit!);
    expect(visits.map((visit, at) => visit.isUpgraded(at === 3 ? 'q' : 'p'))).toEqual([
      ...[true, true, false, true],
    ]);
    expect(door.count).toBe(3);
    for (const visit of visits) visit.leave();
    expect([door.count, door.pendingCount]).toEqual([0, 0]);
  });

  test('T24 while all 4,096 say nothing a newcomer takes the place of the oldest', () => {
    const { come } = doorOf();
    const all = Array.from({ length: 4_096 }, (_, at) => come(at < 1_000 ? null : `a${at}`));
    expect(come('new').visit?.isUpgraded('p')).toBe(true);
    expect(come(null).visit).not.toBeNull();
    expect(all.map(({ one }) => one.hasGone).filter(Boolean)).toHaveLength(2);
    expect(all[0]!.one.hasGone && all[1]!.one.hasGone).toBe(true);
  });
});
