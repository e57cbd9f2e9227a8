import { describe, expect, test } from 'vitest';
import { RegisterState, apply, registerLimits } from './register-rules.ts';
import type { RegisterCommand, RegisterContext, RegisterOutcome } from './register-rules.ts';

const hourMs = 3_600_000;
const record = Uint8Array.of(1);
const limits = {
  ...registerLimits,
  claimedPerPeer: 3,
  claimedPerAddress: 5,
  topicsPerPeer: 6,
  topicsPerAddress: 10,
  topicsCrowded: 20,
  topicsPerPeerCrowded: 1,
  topicsPerAddressCrowded: 2,
  topics: 24,
};

type Set = Partial<Extract<RegisterCommand, { type: 'set' }>>;

/** One register, at a time of its own. */
class Bench {
  readonly state = new RegisterState();
  readonly announced = new Set<string>();
  time = 1_000 * hourMs;

  /** What becomes of a claim of `topic`, carried out. */
  set(topic: string, who = 'host/address', more: Set = {}): RegisterOutcome {
    const [peer = '', address = ''] = who.split('/');
    const expectedVersion = this.state.get(topic)?.version ?? this.state.floor;
    const fixed = { type: 'set', topic, nameTag: topic, expectedVersion, record } as const;
    const command = { ...fixed, active: false, beside: false, ...more };
    const context: RegisterContext = {
      time: this.time,
      from: { peer, address },
      isAnnounced: (one) => this.announced.has(one),
    };
    const outcome = apply(this.state, command, context, limits);
    for (const change of outcome.changes) this.state.take(change);
    return outcome;
  }

  release(topic: string): void {
    const context = { time: this.time, from: { peer: '', address: '' }, isAnnounced: () => false };
    const { changes } = apply(this.state, { type: 'release', topic }, context, limits);
    for (const change of changes) this.state.take(change);
  }

  /** The limit by which a claim was refused; null: it was taken. */
  refusal(topic: string, who: string, more: Set = {}): unknown {
    try {
      return this.set(topic, who, more).ok ? null : 'another version';
    } catch (error) {
      const { code, details } = error as { code: string; details: Record<string, unknown> };
      return code === 'OVERLOADED' ? details['limit'] : code;
    }
  }

  fill(count: number, who: (index: number) => string, more: Set = {}): void {
    for (let index = 0; index < count; index += 1) {
      expect(this.refusal(`${who(index)} ${index}`, who(index), more)).toBeNull();
    }
  }
}

describe('apply()', () => {
  test('Z57 is a function: it changes nothing by itself, and says the same again', () => {
    const { state } = new Bench();
    const context = { time: 5, from: { peer: 'a', address: 'b' }, isAnnounced: () => false };
    const fixed = { type: 'set', topic: 't', nameTag: 'n', expectedVersion: 0 } as const;
    const command = { ...fixed, record, active: false, beside: false };
    const first = apply(state, command, context);
    expect(state.size).toBe(0);
    expect(apply(state, command, context)).toEqual(first);
    expect(first).toMatchObject({ ok: true, changes: [{ type: 'put', topic: 't' }] });
  });

  test('Z57 a version never comes twice, not after a release and not after a day', () => {
    const bench = new Bench();
    for (let turn = 0; turn < 3; turn += 1) bench.set('a');
    expect(bench.state.get('a')?.version).toBe(3);
    bench.release('a');
    // Whoever was about to set the fourth finds that it is not his to set.
    expect(bench.set('a', undefined, { expectedVersion: 3, active: true }).ok).toBe(true);
    expect(bench.state.get('a')?.version).toBe(4);
    bench.release('a');
    expect(bench.set('a', undefined, { expectedVersion: 3 }).ok).toBe(false);
    expect(bench.set('a', undefined, { expectedVersion: 0 }).ok).toBe(false);
    bench.set('a');
    expect(bench.state.get('a')?.version).toBe(5);
    bench.time += 25 * hourMs;
    // The claim of b is what makes a go; b begins above it, at its second attempt.
    expect(bench.set('b').ok).toBe(false);
    expect(bench.state.get('a')).toBeNull();
    expect(bench.set('b').ok).toBe(true);
    expect(bench.state.get('b')?.version).toBe(6);
  });

  test('T21 Z57 only what never acknowledged goes, a day after it was last set, the oldest first', () => {
    const bench = new Bench();
    bench.set('active', undefined, { active: true });
    bench.set('first');
    bench.time += hourMs;
    bench.set('second');
    bench.time += hourMs;
    bench.set('first');
    bench.time += 22 * hourMs + hourMs / 2;
    bench.set('third', 'another/place');
    expect(bench.state.topics).toEqual(['active', 'second', 'first', 'third']);
    bench.time += hourMs;
    bench.set('fourth', 'another/place');
    expect(bench.state.topics).not.toContain('second');
    expect(bench.state.topics).toContain('first');
    bench.time += 1_000 * hourMs;
    bench.set('fifth', 'another/place');
    bench.set('fifth', 'another/place');
    expect(bench.state.topics).toEqual(['active', 'fifth']);
  });

  test('T21 one host has so many names that it never used, one address too, and each is named', () => {
    const bench = new Bench();
    bench.fill(3, () => 'a/1');
    expect(bench.refusal('more', 'a/1')).toBe('claimedPerPeer');
    bench.fill(2, () => 'b/1');
    expect(bench.refusal('more', 'c/1')).toBe('claimedPerAddress');
    expect(bench.refusal('more', 'c/2')).toBeNull();
    // What is used is another matter, and has a bound of its own.
    for (const name of ['u', 'v', 'w'])
      expect(bench.refusal(name, 'a/1', { active: true })).toBeNull();
    expect(bench.refusal('used', 'a/1', { active: true })).toBe('topicsPerPeer');
  });

  test('T21 who is known sets, whatever is full, and what became active stays', () => {
    const bench = new Bench();
    bench.fill(24, (index) => `${index}/${index}`);
    expect(bench.refusal('one more', 'new/new')).toBe('topics');
    expect(bench.refusal('3/3 3', 'stranger/elsewhere', { active: true })).toBeNull();
    expect(bench.set('3/3 3').ok).toBe(true);
    expect(bench.state.get('3/3 3')).toMatchObject({ active: true, version: 3 });
    expect(bench.state.get('3/3 3')?.source).toEqual({ peer: '3', address: '3' });
  });

  test('T21 a crowded register turns away those who have, and takes those who have not', () => {
    const bench = new Bench();
    bench.fill(10, (index) => `${index}/1`, { active: true });
    expect(bench.refusal('more', 'x/1', { active: true })).toBe('topicsPerAddress');
    bench.fill(10, (index) => `${index}/2`, { active: true });
    expect(bench.refusal('more', 'x/2')).toBe('topicsPerAddressCrowded');
    expect(bench.refusal('first', 'y/3')).toBeNull();
    expect(bench.refusal('second', 'y/3')).toBe('topicsPerPeerCrowded');
    expect(bench.refusal('second', 'z/3')).toBeNull();
    bench.release('1/1 1');
    bench.release('2/1 2');
    bench.release('3/1 3');
    expect(bench.refusal('more', 'x/2')).toBe('topicsPerAddress');
    expect(bench.refusal('third', 'y/3')).toBeNull();
  });

  test('T22 a name excludes others only while its cluster is active and here', () => {
    const bench = new Bench();
    const name = { nameTag: 'name' };
    bench.set('squat', 'bad/1', name);
    expect(bench.refusal('mine', 'good/2', name)).toBeNull();
    bench.set('squat', 'bad/1', { ...name, active: true });
    expect(bench.refusal('yours', 'good/3', name)).toBeNull();
    bench.announced.add('squat');
    expect(bench.refusal('ours', 'good/4', name)).toBe('BAD_SECRET');
    // Whoever is there already stays, and a person may say that both are wanted.
    expect(bench.refusal('mine', 'good/2', name)).toBeNull();
    expect(bench.refusal('ours', 'good/4', { ...name, beside: true })).toBeNull();
  });

  test('T21 what is given back can be taken again', () => {
    const bench = new Bench();
    for (let turn = 0; turn < 50; turn += 1) {
      bench.set(`a ${turn}`, 'a/1');
      bench.release(`a ${turn}`);
    }
    expect(bench.state.size).toBe(0);
    expect(bench.state.count('peer', { peer: 'a', address: '1' })).toEqual({ all: 0, claimed: 0 });
    bench.fill(3, () => 'a/1');
  });
});
