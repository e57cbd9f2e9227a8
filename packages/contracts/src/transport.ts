/**
 * Moves frames between *hosts* (a Node process, a tab). A host runs replicas; which NodeId lives
 * where is the cluster's business, learnt from the hello that travels as the first frames of a link.
 *
 * One transport serves one namespace; several may share one network stack.
 */

/** A host's name on its network: a PeerId, a tab's id. Opaque, non-empty, at most 128 characters. */
export type HostId = string;

/**
 * `raft` is never behind anything else; `bulk` carries snapshots; `rpc` requests and answers. Order
 * holds within a channel of one link, not between channels.
 */
export type Channel = 'raft' | 'bulk' | 'rpc';

export type LinkKind = 'memory' | 'loopback' | 'tabs' | 'websocket' | 'tcp' | 'relayed' | 'webrtc';

/** A live, two-way connection to one host, believed only after a round trip on it. */
export interface Link {
  readonly host: HostId;
  readonly kind: LinkKind;
  /** True on exactly one side. */
  readonly initiator: boolean;
  /** Smoothed; undefined until measured. */
  readonly roundTripMs: number | undefined;
  /**
   * Queues one frame (1 to `frameBytesMax` bytes) and returns true, or returns false when that
   * channel's queue is full or the link is down: the frame is dropped and the caller tries again
   * later. The buffer is the transport's from then on.
   */
  send(channel: Channel, frame: Uint8Array): boolean;
  /** Bytes queued on the channel and not yet handed to the network. */
  unsentBytes(channel: Channel): number;
  /** Closes this link; the transport may make a new one by itself. */
  close(reason: string): void;
}

export interface TransportHandler {
  /** A link is up. At most one live link to a host is reported at any time. */
  linkUp(link: Link): void;
  linkDown(link: Link, reason: string): void;
  /** One whole frame, in channel order. The buffer is the handler's. Never called after linkDown. */
  frame(link: Link, channel: Channel, frame: Uint8Array): void;
  /** A channel that had refused a frame takes some again. */
  drained(link: Link, channel: Channel): void;
  /** A connection ended because of what a stranger sent on it, before it was any link. */
  broken?(): void;
}

export interface Transport {
  readonly host: HostId;
  /** Longest frame it carries, at least 256 KiB. */
  readonly frameBytesMax: number;
  /** Starts to listen and to answer. Rejects with `UNREACHABLE` where it cannot listen. */
  start(handler: TransportHandler, signal?: AbortSignal): Promise<void>;
  /** Where others can reach this host now, best first; may grow and shrink. */
  addresses(): readonly string[];
  /**
   * Wants a link to `host` and keeps wanting it, with jittered back-off, until `disconnect`.
   * Idempotent; new addresses replace the known ones.
   */
  connect(host: HostId, addresses: readonly string[]): void;
  /**
   * Wants a link to whoever listens at `address` (its host is not known yet), once, with a deadline.
   * Resolves with the host; rejects with `UNREACHABLE`.
   */
  dial(address: string, signal: AbortSignal): Promise<HostId>;
  disconnect(host: HostId): void;
  /** Closes all links and stops listening. Idempotent; no handler call follows its resolution. */
  close(): Promise<void>;
}
