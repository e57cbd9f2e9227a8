import { describe, expect, test } from 'vitest';
import type { Clock } from '../clock.ts';
import type { Channel, Link, TransportHandler } from '../transport.ts';
import { transportConformance } from '../conformance/transport.ts';
import { MemoryNetwork } from './memory-transport.ts';

const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  defer: (callback) => void setImmediate(callback),
};

transportConformance({
  test,
  create: async () => {
    const network = new MemoryNetwork({ clock: realClock });
    let count = 0;
    return {
      transport: async () => network.transport(`host-${(count += 1)}`),
      again: async (host) => network.transport(host),
      unreachableAddress: 'memory:nobody',
      cleanup: async () => {},
    };
  },
});

/** Time that moves only when told to; what is due runs in order of time, then of asking. */
class ManualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #timers: { atMs: number; order: number; callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#nowMs + delayMs, order: (this.#order += 1), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  defer(callback: () => void): void {
    this.setTimeout(callback, 0);
  }

  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    for (;;) {
      this.#timers.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.#timers[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.shift();
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}

type Seen = { events: string[]; link: Link | null; handler: TransportHandler };

function observer(): Seen {
  const seen: Seen = {
    events: [],
    link: null,
    handler: {
      linkUp: (link) => {
        seen.link = link;
        seen.events.push(`up ${link.host}`);
      },
      linkDown: (link, reason) => {
        seen.link = null;
        seen.events.push(`down ${link.host} ${reason}`);
      },
      frame: (_link, channel, frame) => {
        seen.events.push(`${channel} ${frame.join('.')}`);
      },
      drained: (_link, channel) => {
        seen.events.push(`drained ${channel}`);
      },
    },
  };
  return seen;
}

async function linked(options: ConstructorParameters<typeof MemoryNetwork>[0]): Promise<{
  network: MemoryNetwork;
  a: Seen;
  b: Seen;
}> {
  const network = new MemoryNetwork(options);
  const [a, b] = [observer(), observer()];
  const [from, to] = [network.transport('a'), network.transport('b')];
  await from.start(a.handler);
  await to.start(b.handler);
  from.connect('b', to.addresses());
  return { network, a, b };
}

describe('MemoryNetwork', () => {
  const send = (seen: Seen, channel: Channel, ...bytes: number[]): boolean =>
    seen.link!.send(channel, Uint8Array.from(bytes));

  test('delivers after the latency, on the injected clock alone', async () => {
    const clock = new ManualClock();
    const { a, b } = await linked({ clock, latencyMs: 10 });
    clock.advance(19);
    expect(a.link).toBeNull();
    clock.advance(1);
    expect(send(a, 'raft', 1)).toBe(true);
    clock.advance(9);
    expect(b.events).toEqual(['up a']);
    clock.advance(1);
    expect(b.events).toEqual(['up a', 'raft 1']);
  });

  test('fate loses, delays and duplicates frames, and keeps order unless told otherwise', async () => {
    for (const reorder of [false, true]) {
      const clock = new ManualClock();
      const { a, b } = await linked({
        clock,
        reorder,
        fate: ({ frame }) => (frame[0] === 1 ? [] : frame[0] === 2 ? [30, 40] : [5]),
      });
      clock.advance(1);
      for (const byte of [1, 2, 3]) send(a, 'rpc', byte);
      clock.advance(100);
      expect(b.events.slice(1)).toEqual(
        reorder ? ['rpc 3', 'rpc 2', 'rpc 2'] : ['rpc 2', 'rpc 2', 'rpc 3'],
      );
    }
  });

  test('cut() loses one direction; the deaf side gives the link up and says so', async () => {
    const clock = new ManualClock();
    const { network, a, b } = await linked({ clock, latencyMs: 1, silentAfterMs: 100 });
    clock.advance(10);
    network.cut('a', 'b');
    send(a, 'rpc', 1);
    send(b, 'rpc', 2);
    clock.advance(50);
    expect(b.events).toEqual(['up a']);
    expect(a.events).toEqual(['up b', 'rpc 2']);
    clock.advance(100);
    expect(b.events).toEqual(['up a', 'down a silent']);
    expect(a.events).toEqual(['up b', 'rpc 2', 'down b silent']);
    network.heal('a', 'b');
    clock.advance(500);
    expect(a.events.at(-1)).toBe('up b');
    expect(b.events.at(-1)).toBe('up a');
  });

  test('hold() stops a direction until release(), and drained follows a refusal', async () => {
    const clock = new ManualClock();
    const { network, a, b } = await linked({ clock, queueBytesMax: 10 });
    clock.advance(1);
    network.hold('a', 'b');
    for (let count = 0; count < 5; count += 1) expect(send(a, 'bulk', 1, 2)).toBe(true);
    expect(send(a, 'bulk', 3)).toBe(false);
    expect(a.link!.unsentBytes('bulk')).toBe(10);
    clock.advance(100);
    expect(b.events).toEqual(['up a']);
    network.release('a', 'b');
    clock.advance(1);
    expect(b.events.length).toBe(6);
    expect(a.events).toEqual(['up b', 'drained bulk']);
  });

  test('kill() ends a host without a word to it', async () => {
    const clock = new ManualClock();
    const { network, a, b } = await linked({ clock });
    clock.advance(1);
    network.kill('b');
    clock.advance(1);
    expect(b.events).toEqual(['up a']);
    expect(a.events).toEqual(['up b', 'down b reset']);
    const again = observer();
    await network.transport('b').start(again.handler);
    clock.advance(500);
    expect(a.events.at(-1)).toBe('up b');
    expect(again.events).toEqual(['up a']);
  });
});
