import { describe, expect, test } from 'vitest';
import { WebRtcRecord, firstWaitMs, rotated, sortPaths, webRtcDeadlineMs } from './dial-policy.ts';
import type { Paths } from './dial-policy.ts';
import { defaultTiming } from './options.ts';

const relay = '/ip4/10.0.0.1/tcp/7700/ws/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust';
const circuit = `${relay}/p2p-circuit`;
const socket = '/ip4/10.0.0.2/tcp/7900/ws';

describe('sortPaths()', () => {
  test('tells direct, relayed and WebRTC addresses apart', () => {
    const addresses = [`${circuit}/webrtc`, socket, circuit, 'garbage'];
    const paths = sortPaths(addresses, () => true);
    expect(paths).toEqual({ direct: [socket], relayed: [circuit], webRtc: true });
  });

  test('a WebRTC address alone names the relay it is met at', () => {
    const paths = sortPaths([`${circuit}/webrtc`], () => true);
    expect(paths).toEqual({ direct: [], relayed: [circuit], webRtc: true });
  });

  test('leaves out what this host cannot dial, and never a relayed address', () => {
    const paths = sortPaths([socket, circuit], () => false);
    expect(paths).toEqual({ direct: [], relayed: [circuit], webRtc: false });
  });
});

test('rotated() puts another address first each time', () => {
  expect(rotated([], 5)).toEqual([]);
  expect([0, 1, 2, 3].map((turn) => rotated(['a', 'b', 'c'], turn).join(''))).toEqual([
    'abc',
    'bca',
    'cab',
    'abc',
  ]);
});

describe('firstWaitMs()', () => {
  const page = { direct: false, webRtc: true };
  const node = { direct: true, webRtc: false };
  const nothing = { direct: false, webRtc: false };
  const toPage: Paths = { direct: [], relayed: [circuit], webRtc: true };
  const toNode: Paths = { direct: [socket], relayed: [circuit], webRtc: false };
  const wait = (own: string, reach: typeof page, paths: Paths): number =>
    firstWaitMs({ own, other: 'm' }, reach, paths, defaultTiming);

  test('of two with the same path the lower id dials at once', () => {
    expect(wait('a', page, toPage)).toBe(0);
    expect(wait('z', page, toPage)).toBe(defaultTiming.yieldMs);
    expect(wait('a', node, toNode)).toBe(0);
    expect(wait('z', node, toNode)).toBe(defaultTiming.yieldMs);
  });

  test('whoever cannot be dialled dials, whatever the ids', () => {
    for (const own of ['a', 'z']) {
      expect(wait(own, page, toNode)).toBe(0);
      expect(wait(own, nothing, toNode)).toBe(0);
      expect(wait(own, node, toPage)).toBe(defaultTiming.yieldToDirectMs);
    }
  });

  test('a host that nobody can reach waits for nobody', () => {
    for (const own of ['a', 'z']) expect(wait(own, nothing, toPage)).toBe(0);
  });
});

describe('WebRtcRecord', () => {
  test('a host with which it failed is not waited for', () => {
    const record = new WebRtcRecord();
    expect(record.isPromising(0)).toBe(true);
    expect(record.isPromising(1)).toBe(false);
  });

  test('where it never worked it is doubted after three failures, until it works', () => {
    const record = new WebRtcRecord();
    for (let count = 0; count < 3; count += 1) {
      expect(record.isPromising(0)).toBe(true);
      record.failed();
    }
    expect(record.isPromising(0)).toBe(false);
    record.worked();
    expect(record.isPromising(0)).toBe(true);
  });

  test('where it worked it takes twice as many', () => {
    const record = new WebRtcRecord();
    record.worked();
    for (let count = 0; count < 6; count += 1) {
      expect(record.isPromising(0)).toBe(true);
      record.failed();
    }
    expect(record.isPromising(0)).toBe(false);
  });
});

test('webRtcDeadlineMs() doubles with each failure, up to what opening a link may take', () => {
  const deadlines = [0, 1, 2, 9].map((failures) => webRtcDeadlineMs(failures, defaultTiming));
  expect(deadlines).toEqual([1_500, 3_000, 4_000, 4_000]);
});
