import type { Clock } from '@quorate/contracts';
import { expect, test } from 'vitest';
import { decodeRelayMessage } from '../wire/relay-messages.ts';
import { MeetingPoint } from './meeting-point.ts';

const topic = 'ab'.repeat(32);
const announcement = (host: string) => ({ host, version: 1, record: new Uint8Array(1) });

function clockAt(): { clock: Clock; advance(durationMs: number): void } {
  let nowMs = 0;
  let timers: { atMs: number; callback: () => void }[] = [];
  return {
    clock: {
      now: () => nowMs,
      setTimeout: (callback, delayMs) => {
        const timer = { atMs: nowMs + delayMs, callback };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      defer: (callback) => callback(),
    },
    advance: (durationMs) => {
      nowMs += durationMs;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { callback } of due) callback();
    },
  };
}

test('MeetingPoint forgets a host that was not announced again', () => {
  const { clock, advance } = clockAt();
  const point = new MeetingPoint(clock);
  point.announce(topic, announcement('a'));
  advance(20_000);
  point.announce(topic, announcement('b'));
  advance(10_000);
  expect(point.list(topic).map(({ host }) => host)).toEqual(['b']);
  advance(20_000);
  expect(point.list(topic)).toEqual([]);
});

test('MeetingPoint bounds the hosts of a topic and takes known ones again', () => {
  const { clock } = clockAt();
  const point = new MeetingPoint(clock);
  for (let index = 0; index < 256; index += 1) point.announce(topic, announcement(`${index}`));
  expect(() => point.announce(topic, announcement('one more'))).toThrow('limit');
  point.announce(topic, announcement('7'));
  point.withdraw(topic, '7');
  point.announce(topic, announcement('one more'));
  expect(point.list(topic).length).toBe(256);
});

test('MeetingPoint tells watchers of their topics until they leave, and bounds them', () => {
  const { clock } = clockAt();
  const point = new MeetingPoint(clock);
  const told: string[] = [];
  const watcher = { tell: (host: string) => void told.push(host) };
  point.watch(topic, watcher);
  point.announce(topic, announcement('a'));
  point.announce('cd'.repeat(32), announcement('b'));
  expect(told).toEqual(['a']);
  for (let index = 1; index < 256; index += 1) point.watch(`topic ${index}`, watcher);
  expect(() => point.watch('one more', watcher)).toThrow('limit');
  point.leave(watcher);
  point.announce(topic, announcement('c'));
  expect(told).toEqual(['a']);
  point.watch('one more', watcher);
});

test('T25: MeetingPoint encodes an announcement once for all who watch', () => {
  const { clock } = clockAt();
  const point = new MeetingPoint(clock);
  const frames = new Set<Uint8Array>();
  for (let index = 0; index < 10; index += 1) {
    point.watch(topic, { tell: (_, frame) => void frames.add(frame) });
  }
  point.announce(topic, announcement('a'));
  const [frame] = frames;
  expect(frames.size).toBe(1);
  expect(decodeRelayMessage(frame!)).toEqual({
    type: 'announced',
    topic,
    host: announcement('a'),
  });
  expect([point.watcherCount(topic), point.hostCount(topic)]).toEqual([10, 1]);
});
