/** What every Transport does, whatever carries it. */
import type { RegisterTest } from '../conformance-runner.ts';
import type { Channel, HostId, Link, Transport, TransportHandler } from '../transport.ts';
import { check, pause, rejectionOf, until } from './network-checks.ts';

/** A small network for one case. */
export type TransportWorld = {
  /** A transport that was not started yet, the next host of this world. */
  transport(): Promise<Transport>;
  /** A transport for the host of one that was closed, at the same addresses; not started. */
  again(host: HostId): Promise<Transport>;
  /** A well-formed address where nobody answers. */
  readonly unreachableAddress: string;
  cleanup(): Promise<void>;
};

export type TransportConformance = {
  readonly test: RegisterTest;
  readonly create: () => Promise<TransportWorld>;
};

/**
 * Registers the suite. The first transport of a world is the one whose `send` is watched for
 * refusals, so the others may live in other processes.
 */
export function transportConformance(options: TransportConformance): void {
  const { test, create } = options;
  const inWorld = (name: string, run: (world: World) => Promise<void>): void => {
    test(`Transport: ${name}`, async () => {
      const world = new World(await create());
      try {
        await run(world);
      } finally {
        await world.cleanup();
      }
    });
  };

  inWorld('a link comes up exactly once on both sides, with one initiator', async (world) => {
    const [a, b] = await world.pair();
    await pause(300);
    check(a.ups === 1 && b.ups === 1, 'linkUp was called once on each side');
    check(a.downs === 0 && b.downs === 0, 'linkDown was not called');
    const one = a.link(b.host);
    const other = b.link(a.host);
    check(one.initiator !== other.initiator, 'initiator is true on exactly one side');
    check(one.kind === other.kind, 'both sides agree on the kind of the link');
  });

  inWorld('frames arrive whole and in order within each channel, both ways', async (world) => {
    const [a, b] = await world.pair();
    const count = 200;
    for (let index = 0; index < count; index += 1) {
      for (const channel of ['raft', 'bulk', 'rpc'] as const) {
        check(a.link(b.host).send(channel, numbered(index, 1 + index * 7)), 'a frame is taken');
        check(b.link(a.host).send(channel, numbered(index, 1 + index * 3)), 'a frame is taken');
      }
    }
    for (const [side, factor] of [
      [a, 3],
      [b, 7],
    ] as const) {
      await until(() => side.frames.length === 3 * count, 'every frame arrives');
      for (const channel of ['raft', 'bulk', 'rpc'] as const) {
        const got = side.framesOf(channel);
        got.forEach((frame, index) => {
          check(isNumbered(frame, index, 1 + index * factor), `frame ${index} of ${channel}`);
        });
      }
    }
  });

  inWorld('a frame of 256 KiB and one of frameBytesMax pass unchanged', async (world) => {
    const [a, b] = await world.pair();
    check(a.transport.frameBytesMax >= 256 * 1024, 'frameBytesMax is at least 256 KiB');
    const sizes = [256 * 1024, a.transport.frameBytesMax, 1];
    for (const [index, size] of sizes.entries()) {
      const frame = numbered(index, size);
      await until(() => a.link(b.host).send('bulk', frame.slice()), 'a frame is taken in the end');
    }
    await until(() => b.frames.length === sizes.length, 'every frame arrives');
    for (const [index, size] of sizes.entries()) {
      check(isNumbered(b.framesOf('bulk')[index], index, size), `the frame of ${size} bytes`);
    }
  });

  inWorld(
    'send returns false when full, then drained is called and it takes more',
    async (world) => {
      const [a, b] = await world.pair();
      const link = a.link(b.host);
      const size = 64 * 1024;
      let taken = 0;
      while (taken < 4_000 && link.send('bulk', numbered(taken, size))) taken += 1;
      check(taken < 4_000, 'a queue nobody empties is full before 250 MiB');
      check(taken * size >= 1024 * 1024, 'a queue takes at least 1 MiB');
      check(link.unsentBytes('bulk') > 0, 'unsentBytes tells of the queue');
      check(link.send('raft', numbered(0, 10)), 'another channel is not full');
      await until(() => a.drained.includes('bulk'), 'drained is called');
      check(link.send('bulk', numbered(taken, size)), 'a frame is taken after drained');
      taken += 1;
      await until(() => b.framesOf('bulk').length === taken, 'what was taken arrives');
      b.framesOf('bulk').forEach((frame, index) => {
        check(isNumbered(frame, index, size), `frame ${index} is the one that was taken`);
      });
      check(a.downs === 0 && b.downs === 0, 'the link stays up');
      await until(() => link.unsentBytes('bulk') === 0, 'unsentBytes returns to 0');
    },
  );

  inWorld('a closed link goes down on both sides and comes back when wanted', async (world) => {
    const [a, b] = await world.pair();
    const first = a.link(b.host);
    first.close('test');
    await until(() => a.downs === 1 && b.downs === 1, 'both sides see it go down');
    check(!first.send('rpc', numbered(0, 1)), 'a link that is down takes nothing');
    await until(() => a.ups === 2 && b.ups === 2, 'both sides see it come back');
    check(a.link(b.host) !== first, 'it is a new link');
    check(a.link(b.host).send('rpc', numbered(1, 5)), 'the new link takes frames');
    await until(() => b.frames.length === 1, 'a frame arrives on the new link');
    check(!first.send('rpc', numbered(0, 1)), 'the old link still takes nothing');
  });

  inWorld('what was sent before close arrives before linkDown', async (world) => {
    const [a, b] = await world.pair();
    check(a.link(b.host).send('rpc', numbered(7, 40)), 'a frame is taken');
    a.link(b.host).close('said goodbye');
    await until(() => b.downs >= 1, 'the other side sees the link go down');
    check(isNumbered(b.framesOf('rpc')[0], 7, 40), 'the last frame arrived first');
  });

  inWorld('connect keeps trying until the other exists', async (world) => {
    const a = await world.host();
    const b = await world.host();
    await b.start();
    const addresses = [...b.transport.addresses()];
    await b.transport.close();
    const again = await world.restarted(b);
    await a.start();
    a.transport.connect(b.host, addresses);
    await pause(400);
    check(a.ups === 0, 'no link to a host that is not there');
    await again.start();
    await until(() => a.ups === 1 && again.ups === 1, 'a link comes up once the other is there');
  });

  inWorld('when both sides connect at once one link remains', async (world) => {
    const a = await world.host();
    const b = await world.host();
    await Promise.all([a.start(), b.start()]);
    for (let round = 1; round <= 3; round += 1) {
      a.transport.connect(b.host, b.transport.addresses());
      b.transport.connect(a.host, a.transport.addresses());
      await until(() => a.up === 1 && b.up === 1, 'a link comes up');
      await pause(500);
      check(a.up === 1 && b.up === 1, 'one link is up on each side');
      check(a.link(b.host).initiator !== b.link(a.host).initiator, 'one side is the initiator');
      check(a.link(b.host).send('raft', numbered(round, 9)), 'it takes frames');
      await until(() => b.frames.length === round, 'frames arrive');
      a.transport.disconnect(b.host);
      b.transport.disconnect(a.host);
      await until(() => a.up === 0 && b.up === 0, 'the link goes down');
    }
  });

  inWorld('disconnect ends a link and the wish for it', async (world) => {
    const [a, b] = await world.pair();
    a.transport.disconnect(b.host);
    await until(() => a.downs === 1 && b.downs === 1, 'both sides see the link go down');
    await pause(800);
    check(a.ups === 1 && b.ups === 1, 'no new link is made');
    a.transport.disconnect(b.host);
  });

  inWorld('connect is idempotent and takes new addresses', async (world) => {
    const a = await world.host();
    const b = await world.host();
    await Promise.all([a.start(), b.start()]);
    a.transport.connect(b.host, []);
    a.transport.connect(b.host, [world.unreachableAddress]);
    await pause(100);
    a.transport.connect(b.host, b.transport.addresses());
    a.transport.connect(b.host, b.transport.addresses());
    await until(() => a.ups === 1 && b.ups === 1, 'a link comes up');
  });

  inWorld('dial finds the host behind an address', async (world) => {
    const a = await world.host();
    const b = await world.host();
    await Promise.all([a.start(), b.start()]);
    const address = b.transport.addresses()[0];
    check(address !== undefined, 'a started transport has an address');
    const host = await a.transport.dial(address, AbortSignal.timeout(15_000));
    check(host === b.host, 'it is the host that listens there');
    await until(() => a.up === 1 && b.up === 1, 'the link comes up');
    const again = await a.transport.dial(address, AbortSignal.timeout(15_000));
    check(again === b.host && a.up === 1, 'a second dial finds the link there');
  });

  inWorld('dial rejects with UNREACHABLE where nobody answers', async (world) => {
    const a = await world.host();
    await a.start();
    const dialled = a.transport.dial(world.unreachableAddress, AbortSignal.timeout(5_000));
    check((await rejectionOf(dialled)) === 'UNREACHABLE', 'the code is UNREACHABLE');
    const aborted = a.transport.dial(world.unreachableAddress, AbortSignal.abort());
    check((await rejectionOf(aborted)) === 'UNREACHABLE', 'an aborted dial is UNREACHABLE too');
  });

  inWorld('close takes every link down and nothing is called afterwards', async (world) => {
    const [a, b] = await world.pair();
    for (let index = 0; index < 50; index += 1) b.link(a.host).send('rpc', numbered(index, 500));
    await a.transport.close();
    const calls = a.calls;
    await until(() => b.downs === 1, 'the other side sees the link go down');
    await pause(300);
    check(a.calls === calls, 'no handler call follows the resolution of close');
    check(a.up === 0, 'no link is left up');
    await a.transport.close();
  });

  inWorld('three hosts link pairwise, and frames go where they were sent', async (world) => {
    const hosts = [await world.host(), await world.host(), await world.host()];
    await Promise.all(hosts.map(async (host) => host.start()));
    for (const one of hosts) {
      for (const other of hosts) {
        if (one !== other) one.transport.connect(other.host, other.transport.addresses());
      }
    }
    await until(() => hosts.every((host) => host.up === 2), 'everyone has two links');
    await pause(300);
    for (const [from, one] of hosts.entries()) {
      for (const [to, other] of hosts.entries()) {
        if (one !== other)
          check(one.link(other.host).send('raft', numbered(from * 3 + to, 8)), 'sent');
      }
    }
    for (const [to, host] of hosts.entries()) {
      await until(() => host.frames.length === 2, 'two frames arrive');
      for (const [from, other] of hosts.entries()) {
        if (from === to) continue;
        const got = host.frames.filter((frame) => frame.link.host === other.host);
        check(got.length === 1, 'one frame from each');
        check(isNumbered(got[0]?.frame, from * 3 + to, 8), 'the frame meant for this host');
      }
    }
  });
}

/** One host under observation. */
class Host {
  readonly transport: Transport;
  ups = 0;
  downs = 0;
  /** Every handler call there was. */
  calls = 0;
  readonly frames: { link: Link; channel: Channel; frame: Uint8Array }[] = [];
  readonly drained: Channel[] = [];
  readonly #links = new Map<HostId, Link>();
  #broken: string | null = null;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get host(): HostId {
    return this.transport.host;
  }

  /** Links that are up now. */
  get up(): number {
    check(this.#broken === null, this.#broken ?? '');
    return this.#links.size;
  }

  link(host: HostId): Link {
    const link = this.#links.get(host);
    check(this.#broken === null, this.#broken ?? '');
    check(link !== undefined, `a link to ${host} is up`);
    return link;
  }

  framesOf(channel: Channel): Uint8Array[] {
    return this.frames.filter((frame) => frame.channel === channel).map(({ frame }) => frame);
  }

  async start(): Promise<void> {
    // A throw inside a handler would land in the transport: note what is wrong, tell it later.
    const note = (condition: boolean, wanted: string): void => {
      if (!condition) this.#broken ??= wanted;
    };
    const handler: TransportHandler = {
      linkUp: (link) => {
        this.calls += 1;
        this.ups += 1;
        note(!this.#links.has(link.host), 'at most one live link to a host is reported');
        this.#links.set(link.host, link);
      },
      linkDown: (link) => {
        this.calls += 1;
        this.downs += 1;
        note(this.#links.get(link.host) === link, 'linkDown names a link that was up');
        this.#links.delete(link.host);
      },
      frame: (link, channel, frame) => {
        this.calls += 1;
        note(this.#links.get(link.host) === link, 'a frame arrives between linkUp and linkDown');
        this.frames.push({ link, channel, frame });
      },
      drained: (link, channel) => {
        this.calls += 1;
        note(this.#links.get(link.host) === link, 'drained is called between linkUp and linkDown');
        this.drained.push(channel);
      },
    };
    await this.transport.start(handler);
  }

  finish(): void {
    check(this.#broken === null, this.#broken ?? '');
  }
}

class World {
  readonly #world: TransportWorld;
  readonly #hosts: Host[] = [];

  constructor(world: TransportWorld) {
    this.#world = world;
  }

  get unreachableAddress(): string {
    return this.#world.unreachableAddress;
  }

  async host(): Promise<Host> {
    const host = new Host(await this.#world.transport());
    this.#hosts.push(host);
    return host;
  }

  /** The host of a closed transport, once more. */
  async restarted(closed: Host): Promise<Host> {
    const host = new Host(await this.#world.again(closed.host));
    this.#hosts.push(host);
    return host;
  }

  /** Two started hosts; the first has connected to the second. */
  async pair(): Promise<[Host, Host]> {
    const a = await this.host();
    const b = await this.host();
    await Promise.all([a.start(), b.start()]);
    a.transport.connect(b.host, b.transport.addresses());
    await until(() => a.up === 1 && b.up === 1, 'a link comes up on both sides');
    return [a, b];
  }

  async cleanup(): Promise<void> {
    await this.#world.cleanup();
    for (const host of this.#hosts) host.finish();
  }
}

function numbered(index: number, size: number): Uint8Array {
  const frame = new Uint8Array(size);
  for (let position = 0; position < size; position += 1) {
    frame[position] = (index * 31 + position * 7 + (position >> 8)) & 0xff;
  }
  return frame;
}

function isNumbered(frame: Uint8Array | undefined, index: number, size: number): boolean {
  if (frame?.length !== size) return false;
  const wanted = numbered(index, size);
  return frame.every((byte, position) => byte === wanted[position]);
}
