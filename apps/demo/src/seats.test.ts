import type { MemberInfo } from 'quorate';
import { expect, test } from 'vitest';
import { leaderOf, seatsOf } from './seats.ts';

function member(nodeId: string, label: string, more: Partial<MemberInfo> = {}): MemberInfo {
  return {
    nodeId,
    label,
    kind: 'voter',
    reachable: true,
    leader: false,
    self: false,
    durable: true,
    runtime: 'page',
    link: 'tabs',
    roundTripMs: 1,
    matchIndex: null,
    ...more,
  };
}

const options = { positions: new Map<string, number>(), apart: false };

test('seatsOf() puts the replicas of one tab on one seat, with all their votes', () => {
  const seats = seatsOf(
    [
      member('a', 'Coral', { self: true, link: null, roundTripMs: null }),
      member('b', 'Coral (2)', { leader: true }),
      member('c', 'Teal'),
    ],
    options,
  );
  expect(seats.map(({ name, votes, role, self }) => ({ name, votes, role, self }))).toEqual([
    { name: 'Coral', votes: 2, role: 'leader', self: true },
    { name: 'Teal', votes: 1, role: 'follower', self: false },
  ]);
  expect(leaderOf(seats)?.name).toBe('Coral');
});

test('seatsOf() keeps members of equal names apart where each is a seat of its own', () => {
  const seats = seatsOf(
    [
      member('a', 'Coral', { kind: 'learner' }),
      member('b', 'Coral', { kind: 'learner' }),
      member('c', 'node-1', { runtime: 'node' }),
    ],
    { ...options, apart: true },
  );
  expect(seats.map(({ key, kind, role, votes }) => ({ key, kind, role, votes }))).toEqual([
    { key: 'c', kind: 'node', role: 'follower', votes: 1 },
    { key: 'a', kind: 'tab', role: 'learner', votes: 0 },
    { key: 'b', kind: 'tab', role: 'learner', votes: 0 },
  ]);
});

test('seatsOf() prefers positions known here, and takes the furthest of a seat', () => {
  const positions = new Map([
    ['a', 7],
    ['b', 9],
    ['c', 1],
  ]);
  const members = [
    member('a', 'Coral'),
    member('b', 'Coral (2)'),
    member('c', 'Teal', { matchIndex: 4 }),
  ];
  const seats = seatsOf([...members, member('d', 'Sky')], { ...options, positions });
  expect(seats.map(({ position }) => position)).toEqual([9, null, 4]);
});

test('seatsOf() counts a tab as there while one of its replicas is', () => {
  const away = { reachable: false, link: null };
  const seats = seatsOf(
    [member('a', 'Coral', away), member('b', 'Coral (3)'), member('c', 'Teal', away)],
    options,
  );
  expect(seats.map(({ reachable }) => reachable)).toEqual([true, false]);
});
