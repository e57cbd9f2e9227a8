import { describe, expect, test } from 'vitest';
import { controlRecord } from '../wire/frames.ts';
import { FramedStream } from './framed-stream.ts';
import type { FramedStreamEvents } from './framed-stream.ts';
import type { ByteStream, ByteStreamEvents } from './wire.ts';

/** A stream whose other side reads when it is told to. */
class SlowStream implements ByteStream {
  readonly isOpen = true;
  readonly unsentBytes = 0;
  isFull = true;
  readonly written: Uint8Array[] = [];
  events: ByteStreamEvents | null = null;

  listen(events: ByteStreamEvents): void {
    this.events = events;
  }

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  async close(): Promise<void> {}

  abort(): void {}
}

const ping = 1;
const pong = 2;

function answering(stream: SlowStream): FramedStream {
  const events: FramedStreamEvents = {
    prefix: () => {},
    frame: () => {},
    control: (type, payload) => {
      if (type === ping) framed.sendControl(pong, payload);
    },
    drained: () => {},
    ended: () => {},
  };
  const framed = new FramedStream({
    stream,
    prefixBytes: 0,
    frameBytesMax: 1_000,
    queueBytesMax: 2_000,
    events,
  });
  return framed;
}

describe('FramedStream', () => {
  test('T9 Z45 of a million pings by a peer that does not read one answer waits, the last', async () => {
    const stream = new SlowStream();
    const framed = answering(stream);
    const pings = Buffer.concat(
      Array.from({ length: 10_000 }, (_, at) => controlRecord(ping, Uint8Array.of(at & 0xff))),
    );
    for (let turn = 0; turn < 100; turn += 1) {
      stream.events?.bytes(pings);
      await Promise.resolve();
      expect(framed.unsentBytes).toBe(4);
    }
    stream.isFull = false;
    stream.events?.writable();
    expect(stream.written).toEqual([controlRecord(pong, Uint8Array.of(9_999 & 0xff))]);
    expect(framed.unsentBytes).toBe(0);
    // The next one is answered again.
    stream.events?.bytes(controlRecord(ping, Uint8Array.of(7)));
    await Promise.resolve();
    expect(stream.written[1]).toEqual(controlRecord(pong, Uint8Array.of(7)));
  });

  test('T9 control records of different types keep their order, and that of frames', async () => {
    const stream = new SlowStream();
    const framed = answering(stream);
    framed.sendControl(ping, Uint8Array.of(1));
    framed.send(Uint8Array.of(0xaa));
    framed.sendControl(pong, Uint8Array.of(2));
    framed.sendControl(ping, Uint8Array.of(3, 4));
    expect(framed.unsentBytes).toBe(5 + 1 + 4);
    await Promise.resolve();
    stream.isFull = false;
    stream.events?.writable();
    expect(Buffer.concat(stream.written).toString('hex')).toBe('0001020304' + '01aa' + '00020102');
  });
});
