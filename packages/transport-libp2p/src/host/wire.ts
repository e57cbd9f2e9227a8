/**
 * What a link is opened on: a *wire* leads to one host and gives one stream of bytes per channel.
 * libp2p's connections are wires; so is what two pages have once WebRTC joined them.
 */
import type { Channel, HostId, LinkKind } from '@quorate/contracts';

export type ByteStreamEvents = {
  bytes(chunk: Uint8Array): void;
  /** A full stream takes bytes again. */
  writable(): void;
  /** Nothing more will be read; `reset` where the other side did not end it itself. */
  ended(reason: 'ended' | 'reset'): void;
};

/** Bytes in order, both ways. */
export interface ByteStream {
  readonly isOpen: boolean;
  /** Written and not yet handed to the network. */
  readonly unsentBytes: number;
  /** Wants no more bytes until `writable` is called; it takes them all the same. */
  readonly isFull: boolean;
  /** Called once, in the turn in which the stream was given. */
  listen(events: ByteStreamEvents): void;
  /** May throw once the stream is over. */
  write(bytes: Uint8Array): void;
  /** Sends what was written and ends this side. Rejects when that takes longer than `signal`. */
  close(signal: AbortSignal): Promise<void>;
  abort(reason: string): void;
}

export interface Wire {
  /** Different for each wire of this process. */
  readonly id: string;
  readonly host: HostId;
  readonly kind: LinkKind;
  /** The stream of a channel, for a link that this side opens. Rejects when the wire is dead. */
  open(channel: Channel, signal: AbortSignal): Promise<ByteStream>;
  /** Ends the wire and everything on it. */
  discard(reason: string): void;
}
