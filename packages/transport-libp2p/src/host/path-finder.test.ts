import { describe, expect, test } from 'vitest';
import type { WebRtc } from '../webrtc/web-rtc.ts';
import type { ConnectionWire } from './connection-wire.ts';
import { WebRtcRecord } from './dial-policy.ts';
import { defaultTiming } from './options.ts';
import { PathFinder } from './path-finder.ts';
import type { Destination, Networks } from './path-finder.ts';
import type { Wire } from './wire.ts';

const circuit =
  '/ip4/10.0.0.1/tcp/7700/ws/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust/p2p-circuit';
const socket = '/ip4/10.0.0.2/tcp/7900/ws';

type World = {
  readonly finder: PathFinder;
  readonly record: WebRtcRecord;
  /** What was dialled: addresses, and `webrtc`. */
  readonly dialled: string[];
};

/** Networks in which only what is named works. */
function world(works: {
  readonly open?: 'websocket' | 'relayed';
  readonly direct?: boolean;
  readonly relayed?: boolean;
  readonly webRtc?: boolean | null;
}): World {
  const dialled: string[] = [];
  const record = new WebRtcRecord();
  const wire = (kind: Wire['kind']): ConnectionWire => ({ kind }) as unknown as ConnectionWire;
  const webRtc = {
    record,
    dial: async (_relayed: unknown, signal: AbortSignal): Promise<Wire> => {
      dialled.push('webrtc');
      if (works.webRtc === true && !signal.aborted) return wire('webrtc');
      throw new Error('no way');
    },
  } as unknown as WebRtc;
  const networks: Networks = {
    timing: defaultTiming,
    webRtc: works.webRtc === null ? null : webRtc,
    canDial: () => true,
    wiresTo: () => (works.open === undefined ? [] : [wire(works.open)]),
    dial: async (_host, addresses) => {
      dialled.push(...addresses);
      if (addresses.includes(circuit) && works.relayed !== false) return wire('relayed');
      if (addresses.includes(socket) && works.direct === true) return wire('websocket');
      throw new Error('no answer');
    },
    dialAddress: async () => wire('relayed'),
  };
  return { finder: new PathFinder(networks), record, dialled };
}

function destination(addresses: readonly string[], webRtcFailures = 0): Destination {
  return { host: 'other', addresses, webRtcFailures, turn: 0 };
}

const never = new AbortController().signal;
const page = [`${circuit}/webrtc`, circuit];
const node = [socket, circuit];

describe('PathFinder.find()', () => {
  const find = async (
    { finder }: World,
    to: Destination,
    signal: AbortSignal = never,
  ): Promise<string> => (await finder.find(to, signal)).kind;

  test('takes a direct connection that is open', async () => {
    const open = world({ open: 'websocket' });
    expect(await find(open, destination(page))).toBe('websocket');
    expect(open.dialled).toEqual([]);
  });

  test('prefers a direct address to the relay, and the relay to none', async () => {
    expect(await find(world({ direct: true }), destination(node))).toBe('websocket');
    const dead = world({ direct: false });
    expect(await find(dead, destination(node))).toBe('relayed');
    expect(dead.dialled).toEqual([socket, circuit]);
  });

  test('prefers WebRTC to the relay it is met at', async () => {
    expect(await find(world({ webRtc: true }), destination(page))).toBe('webrtc');
  });

  test('without WebRTC on both sides it does not try any', async () => {
    const here = world({ webRtc: null });
    expect(await find(here, destination(page))).toBe('relayed');
    const there = world({ webRtc: true });
    expect(await find(there, destination([circuit]))).toBe('relayed');
    expect([...here.dialled, ...there.dialled]).not.toContain('webrtc');
  });

  test('takes the relay when WebRTC fails, and at once when it failed before', async () => {
    const without = world({ webRtc: false });
    const to = destination(page);
    expect(await find(without, to)).toBe('relayed');
    expect(to.webRtcFailures).toBe(1);
    expect(await find(without, to)).toBe('relayed');
    expect(without.dialled.filter((what) => what === 'webrtc')).toEqual(['webrtc']);
  });

  test('an attempt that was called off says nothing about WebRTC', async () => {
    const off = world({ webRtc: true });
    const to = destination(page);
    await find(off, to, AbortSignal.abort());
    expect(to.webRtcFailures).toBe(0);
    expect(off.record.isPromising(0)).toBe(true);
  });

  test('rejects where no address is left', async () => {
    await expect(find(world({ relayed: false }), destination(node))).rejects.toThrow('no answer');
    await expect(find(world({}), destination([]))).rejects.toThrow('no answer');
  });
});

describe('PathFinder.findDirect()', () => {
  test('finds a socket or WebRTC, and is never content with the relay', async () => {
    const kind = async ({ finder }: World, to: Destination): Promise<string> =>
      (await finder.findDirect(to, never)).kind;
    expect(await kind(world({ direct: true }), destination(node))).toBe('websocket');
    // It is tried again whatever failed before.
    expect(await kind(world({ webRtc: true }), destination(page, 5))).toBe('webrtc');
    const nothing = world({ webRtc: false, open: 'relayed' });
    await expect(kind(nothing, destination(page))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('hasDirect() says whether it is worth a try', () => {
    expect(world({}).finder.hasDirect(destination([circuit]))).toBe(false);
    expect(world({}).finder.hasDirect(destination(page))).toBe(true);
    expect(world({ webRtc: null }).finder.hasDirect(destination(page))).toBe(false);
    expect(world({}).finder.hasDirect(destination(node))).toBe(true);
  });
});
