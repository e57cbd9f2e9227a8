/** Tabs that go without a word, come back, or are answered by somebody else. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import type { Locks } from '../src/life-lock.ts';
import { doorName, linkName, meetName } from '../src/messages.ts';
import { createTabsRendezvous } from '../src/tabs-rendezvous.ts';
import { createTabsTransport } from '../src/tabs-transport.ts';
import { systemClock, systemRandom } from '@quorate/contracts';
import { startHost, until } from './world.ts';
import type { Observed } from './world.ts';

const cleanups: (() => Promise<unknown>)[] = [];
let topics = 0;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function newTopic(): string {
  return `deaths ${(topics += 1)}`;
}

async function host(...args: Parameters<typeof startHost>): Promise<Observed> {
  const observed = await startHost(...args);
  cleanups.push(() => observed.transport.close());
  return observed;
}

/** Locks among hosts of one process; `kill` lets go of everything that one of them holds. */
function locksOf(): Locks & { kill(name: string): void } {
  const holders = new Map<string, () => void>();
  const waiting = new Map<string, (() => void)[]>();
  return {
    request: async (name, { mode, signal }, callback) => {
      if (mode === 'shared') {
        await new Promise<void>((resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')));
          waiting.set(name, [...(waiting.get(name) ?? []), resolve]);
        });
        return callback();
      }
      holders.set(name, () => waiting.get(name)?.forEach((resolve) => resolve()));
      return callback();
    },
    kill: (name) => holders.get(name)?.(),
  };
}

test('B2 a thread that is terminated goes down by its silence, and is wanted for ever', async () => {
  const topic = newTopic();
  const a = await host(topic);
  const other = 'written-by-hand';
  const worker = new Worker(new URL('hand-written-tab.mjs', import.meta.url), {
    workerData: { topic, host: other },
  });
  cleanups.push(() => worker.terminate());
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  a.transport.connect(other, [`/tabs/${other}`]);
  await until(() => a.links.length === 1);
  for (let count = 1; count <= 30; count += 1) {
    const frame = new Uint8Array(100_000).fill(count);
    await until(() => a.links[0]?.send('raft', frame) === true);
  }
  await until(() => a.frames.length === 30);
  expect(a.frames.map((frame) => frame[99_999])).toEqual([...Array(30).keys()].map((at) => at + 1));
  await worker.terminate();
  await until(() => a.downs.length === 1);
  expect(a.downs).toEqual(['silent']);
  const again = await host(topic, { host: other });
  await until(() => a.links.length === 2 && again.links.length === 1);
});

test('B2 the lock of a crashed tab tells before its silence does', async () => {
  const topic = newTopic();
  const locks = locksOf();
  const timing = { pingIntervalMs: 1_000_000, silentAfterMs: 4_000_000 };
  const a = await host(topic, { locks, timing });
  const b = await host(topic, { locks, timing });
  a.transport.connect(b.transport.host, b.transport.addresses());
  await until(() => a.links.length === 1 && b.links.length === 1);
  locks.kill(`quorate ${topic} tab ${b.transport.host}`);
  await until(() => a.downs.length === 1);
  expect(a.downs).toEqual(['gone']);
});

test('Z6 what a tab said last is heard, though its lock came free before', async () => {
  const topic = newTopic();
  const locks = locksOf();
  const timing = { pingIntervalMs: 1_000_000, silentAfterMs: 4_000_000, goneAfterMs: 1_000_000 };
  const a = await host(topic, { locks, timing });
  const b = await host(topic, { locks, timing });
  a.transport.connect(b.transport.host, b.transport.addresses());
  await until(() => a.links.length === 1 && b.links.length === 1);
  locks.kill(`quorate ${topic} tab ${b.transport.host}`);
  await new Promise((resolve) => setTimeout(resolve, 10));
  b.links[0]?.send('raft', new Uint8Array(3));
  await b.transport.close();
  await until(() => a.downs.length === 1);
  expect(a.downs).toEqual(['closed']);
  expect(a.frames).toEqual([new Uint8Array(3)]);
});

test('a new run under an old id replaces the link of the run before', async () => {
  const topic = newTopic();
  const a = await host(topic);
  const b = await host(topic);
  a.transport.connect(b.transport.host, b.transport.addresses());
  await until(() => a.links.length === 1 && b.links.length === 1);
  const again = await host(topic, { host: b.transport.host });
  again.transport.connect(a.transport.host, a.transport.addresses());
  await until(() => a.links.length === 2 && again.links.length === 1);
  expect(a.downs[0]).toBe('replaced');
  expect(a.links[1]?.send('rpc', new Uint8Array([1]))).toBe(true);
  await until(() => again.frames.length === 1);
});

test('strangers on the channels change nothing', async () => {
  const topic = newTopic();
  const a = await host(topic);
  const b = await host(topic);
  const junk = [
    null,
    'hello',
    { type: 'hello' },
    { type: 'hello', version: 2, from: 'x', link: 'y' },
    { type: 'hello', version: 1, from: '', link: 'y' },
    { type: 'hello', version: 1, from: 7, link: 'y' },
    { type: 'hello', version: 1, from: a.transport.host, link: 'mine' },
    { type: 'hello', version: 1, from: 'never confirms', link: 'y' },
  ];
  const door = new BroadcastChannel(doorName(topic, a.transport.host));
  for (const data of junk) door.postMessage(data);
  const posted: BroadcastChannel[] = [door];
  const spy = new BroadcastChannel(doorName(topic, b.transport.host));
  posted.push(spy);
  spy.onmessage = ({ data }: MessageEvent) => {
    const wire = new BroadcastChannel(linkName(topic, (data as { readonly link: string }).link));
    posted.push(wire);
    for (const message of [
      null,
      [],
      { type: 'frames', channel: 'raft', frames: ['text'] },
      { type: 'frames', channel: 'other', frames: [] },
      { type: 'frames', channel: 'raft', frames: {} },
      { type: 'credit', channel: 'raft', bytes: -1 },
      { type: 'pong', number: 0.5 },
      { type: 'accept', lock: 5 },
      { type: 'bye' },
      { type: 'later' },
    ]) {
      wire.postMessage(message);
    }
  };
  a.transport.connect(b.transport.host, b.transport.addresses());
  await until(() => a.links.length === 1 && b.links.length === 1);
  a.links[0]?.send('bulk', new Uint8Array(5));
  await until(() => b.frames.length === 1);
  expect([a.downs, b.downs]).toEqual([[], []]);
  expect(a.frames).toEqual([]);
  for (const channel of posted) channel.close();
});

test('a frame of a wrong size ends the link', async () => {
  const topic = newTopic();
  const a = await host(topic);
  const b = await host(topic);
  const wires: BroadcastChannel[] = [];
  const spy = new BroadcastChannel(doorName(topic, b.transport.host));
  spy.onmessage = ({ data }: MessageEvent) => {
    const wire = new BroadcastChannel(linkName(topic, (data as { readonly link: string }).link));
    wires.push(wire);
  };
  a.transport.connect(b.transport.host, b.transport.addresses());
  await until(() => a.links.length === 1 && b.links.length === 1 && wires.length > 0);
  wires.at(-1)?.postMessage({ type: 'frames', channel: 'raft', frames: [new Uint8Array(0)] });
  await until(() => a.downs.length + b.downs.length > 0);
  expect(a.frames.length + b.frames.length).toBe(0);
  for (const channel of [spy, ...wires]) channel.close();
});

test('the rendezvous ignores strangers, and one that is closed', async () => {
  const topic = newTopic();
  const a = createTabsRendezvous({ topic, clock: systemClock, listMs: 30 });
  const b = createTabsRendezvous({ topic, clock: systemClock, listMs: 30 });
  cleanups.push(
    () => a.close(),
    () => b.close(),
  );
  const stranger = new BroadcastChannel(meetName(topic));
  cleanups.push(async () => stranger.close());
  const heard: string[] = [];
  b.watch(({ host: name }) => heard.push(name));
  for (const message of [
    null,
    { type: 'here' },
    { type: 'here', announcement: { host: 5, addresses: [] } },
    { type: 'here', announcement: { host: 'x', addresses: 'y' } },
    { type: 'here', announcement: { host: 'x', addresses: [1] } },
    { type: 'gone', host: {} },
  ]) {
    stranger.postMessage(message);
  }
  a.announce({ host: 'a', addresses: ['/tabs/a'] });
  await until(() => heard.length > 0);
  expect(heard).toEqual(['a']);
  await a.close();
  a.announce({ host: 'a', addresses: ['/tabs/a2'] });
  await expect(a.list(AbortSignal.timeout(10_000))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(await b.list(AbortSignal.timeout(10_000))).toEqual([]);
});

test('start() that is not wanted any more is UNREACHABLE; a topic has a length', async () => {
  const options = { clock: systemClock, random: systemRandom, locks: null };
  expect(() => createTabsTransport({ ...options, topic: '' })).toThrow(RangeError);
  expect(() => createTabsTransport({ ...options, topic: 'x'.repeat(257) })).toThrow(RangeError);
  const transport = createTabsTransport({ ...options, topic: newTopic() });
  const handler = { linkUp() {}, linkDown() {}, frame() {}, drained() {} };
  const stopped = transport.start(handler, AbortSignal.abort());
  await expect(stopped).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(transport.addresses()).toEqual([]);
  await transport.close();
});
