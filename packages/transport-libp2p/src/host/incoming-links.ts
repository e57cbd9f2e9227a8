/**
 * Puts together what strangers open: three streams with one header make a link. What stays
 * incomplete is dropped after a while, and there is a bound on how much may be incomplete.
 */
import type { Channel, Clock } from '@quorate/contracts';
import { FramedStream } from './framed-stream.ts';
import type { FramedStreamEvents } from './framed-stream.ts';
import type { LinkStreams } from './libp2p-link.ts';
import { answers, channels, decodeHeader, headerBytes } from './link-protocol.ts';
import { frameBytesMax, openingLinksMax, queueBytesMax } from './options.ts';
import type { ByteStream, Wire } from './wire.ts';

type Opening = {
  readonly streams: Partial<Record<Channel, FramedStream>>;
  /** It is complete, or nobody waits for the rest. */
  finish(): void;
  drop(): void;
};

export type IncomingLinksOptions = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Whom a topic belongs to; undefined for one that nobody here serves. */
  ownerOf(topic: string): { receive(wire: Wire, streams: LinkStreams): void } | undefined;
};

export class IncomingLinks {
  readonly #options: IncomingLinksOptions;
  readonly #opening = new Map<string, Opening>();

  constructor(options: IncomingLinksOptions) {
    this.#options = options;
  }

  accept(channel: Channel, stream: ByteStream, wire: Wire): void {
    const silent: FramedStreamEvents = {
      prefix: () => {},
      frame: () => framed.abort('early frame'),
      control: () => framed.abort('early frame'),
      drained: () => {},
      ended: () => cancel(),
    };
    const framed = new FramedStream({
      stream,
      prefixBytes: headerBytes,
      frameBytesMax,
      queueBytesMax,
      events: {
        ...silent,
        prefix: (bytes) => {
          cancel();
          framed.setEvents(silent);
          // The initiator's confirmation comes next on this channel.
          if (channel === 'rpc') framed.expectPrefix(1);
          this.#collect(channel, framed, wire, bytes);
        },
      },
    });
    const cancel = this.#options.clock.setTimeout(
      () => framed.abort('no header'),
      this.#options.timeoutMs,
    );
  }

  #collect(channel: Channel, framed: FramedStream, wire: Wire, bytes: Uint8Array): void {
    const header = decodeHeader(bytes);
    if (header === null) {
      framed.abort('unknown header');
      return;
    }
    const owner = this.#options.ownerOf(header.topic);
    if (owner === undefined) {
      if (channel === 'rpc') framed.sendPrefix(Uint8Array.of(answers.unknownTopic));
      framed.close(1_000);
      return;
    }
    const key = `${wire.id} ${header.topic} ${header.linkId}`;
    const opening = this.#opening.get(key) ?? this.#begin(key);
    if (opening === null || opening.streams[channel] !== undefined) {
      framed.abort('refused');
      return;
    }
    opening.streams[channel] = framed;
    framed.setEvents({
      prefix: () => opening.drop(),
      frame: () => opening.drop(),
      control: () => opening.drop(),
      drained: () => {},
      ended: () => opening.drop(),
    });
    const { raft, bulk, rpc } = opening.streams;
    if (raft === undefined || bulk === undefined || rpc === undefined) return;
    opening.finish();
    owner.receive(wire, { raft, bulk, rpc });
  }

  #begin(key: string): Opening | null {
    if (this.#opening.size >= openingLinksMax) return null;
    const opening: Opening = {
      streams: {},
      finish: () => {
        cancel();
        this.#opening.delete(key);
      },
      drop: () => {
        if (this.#opening.get(key) !== opening) return;
        opening.finish();
        for (const channel of channels) opening.streams[channel]?.abort('incomplete');
      },
    };
    const cancel = this.#options.clock.setTimeout(() => opening.drop(), this.#options.timeoutMs);
    this.#opening.set(key, opening);
    return opening;
  }
}
