import { expect, test } from 'vitest';
import { FakeDataChannel } from '../../test/fake-web-rtc.ts';
import { DataChannelStream } from './data-channel-stream.ts';

type Watched = { stream: DataChannelStream; channel: FakeDataChannel; seen: string[] };

function watched(): Watched {
  const channel = new FakeDataChannel('raft');
  const seen: string[] = [];
  const stream = new DataChannelStream(channel as unknown as RTCDataChannel, () => {
    seen.push('over');
  });
  stream.listen({
    bytes: (chunk) => seen.push(`bytes ${chunk.length}`),
    writable: () => seen.push('writable'),
    ended: (reason) => seen.push(reason),
  });
  return { stream, channel, seen };
}

async function pair(): Promise<[Watched, Watched]> {
  const [a, b] = [watched(), watched()];
  a.channel.join(b.channel);
  await turn();
  return [a, b];
}

const turn = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test('write() sends messages of at most 16 KiB, in order', async () => {
  const [a, b] = await pair();
  a.stream.write(new Uint8Array(40_000));
  await turn();
  expect(b.seen).toEqual(['writable', 'bytes 16384', 'bytes 16384', 'bytes 7232']);
});

test('isFull from 256 KiB in the buffer on, and before the channel is open', async () => {
  const closed = watched();
  expect(closed.stream.isFull).toBe(true);
  const [a] = await pair();
  a.channel.isSlow = true;
  a.stream.write(new Uint8Array(256 * 1024 - 1));
  expect(a.stream.isFull).toBe(false);
  a.stream.write(new Uint8Array(1));
  expect(a.stream.isFull).toBe(true);
  expect(a.stream.unsentBytes).toBe(256 * 1024);
  a.channel.flush();
  expect(a.stream.isFull).toBe(false);
  expect(a.seen).toEqual(['writable', 'writable']);
});

test('close() waits until the buffer is empty, and what was written arrives', async () => {
  const [a, b] = await pair();
  a.channel.isSlow = true;
  a.stream.write(new Uint8Array(9));
  const closed = a.stream.close(AbortSignal.timeout(20_000));
  await turn();
  expect(a.channel.readyState).toBe('open');
  a.channel.flush();
  await closed;
  expect(b.seen).toEqual(['writable', 'bytes 9', 'ended', 'over']);
  expect(a.seen.slice(-2)).toEqual(['ended', 'over']);
});

test('close() rejects when the buffer does not empty in time', async () => {
  const [a] = await pair();
  a.channel.isSlow = true;
  a.stream.write(new Uint8Array(9));
  await expect(a.stream.close(AbortSignal.abort())).rejects.toThrow('did not close in time');
});

test('text, an error and abort() end the stream once', async () => {
  const [a, b] = await pair();
  a.channel.onmessage?.({ data: 'text' });
  expect(a.seen).toEqual(['writable', 'reset', 'over']);
  b.channel.onerror?.();
  b.stream.abort();
  await turn();
  expect(b.seen).toEqual(['writable', 'reset', 'over']);
});
