/** libp2p connections of one node: finding, dialling, and closing those that carry nothing. */
import type { Connection } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { QuorateError } from '@quorate/contracts';
import type { Clock, HostId } from '@quorate/contracts';
import type { Libp2p } from 'libp2p';
import { isRelayed, parseAddress, readable } from './addresses.ts';
import { ConnectionWire } from './connection-wire.ts';

/** Streams that make a connection worth keeping: ours, and circuits that run over it. */
const keptProtocols = /^\/(quorate|libp2p\/circuit)\//;

export class Connections {
  readonly #node: Libp2p;
  readonly #clock: Clock;
  readonly #isKept: (host: HostId) => boolean;
  readonly #idleAfterMs: number;
  readonly #idleSince = new Map<string, number>();
  #cancelSweep: () => void = () => {};

  constructor(options: {
    readonly node: Libp2p;
    readonly clock: Clock;
    readonly idleAfterMs: number;
    readonly isKept: (host: HostId) => boolean;
  }) {
    this.#node = options.node;
    this.#clock = options.clock;
    this.#isKept = options.isKept;
    this.#idleAfterMs = options.idleAfterMs;
    this.#sweep();
  }

  /** Open connections to a host, direct ones first. */
  to(host: HostId): readonly ConnectionWire[] {
    return this.#node
      .getConnections(peerIdFromString(host))
      .filter((connection) => connection.status === 'open')
      .sort((a, b) => Number(isRelayed(a.remoteAddr)) - Number(isRelayed(b.remoteAddr)))
      .map((connection) => new ConnectionWire(connection));
  }

  /** Tries the addresses in their order. */
  async dial(
    host: HostId,
    addresses: readonly string[],
    options: { readonly signal: AbortSignal; readonly fresh: boolean },
  ): Promise<ConnectionWire> {
    const suffix = `/p2p/${host}`;
    const targets = readable(addresses).map((address) => {
      const text = address.toString();
      return text.endsWith(suffix) ? address : parseAddress(text + suffix);
    });
    if (targets.length === 0) {
      throw new QuorateError('UNREACHABLE', `Cannot dial ${host}: no address of it is known`);
    }
    const how = { signal: options.signal, force: options.fresh };
    return new ConnectionWire(await this.#node.dial(targets, how));
  }

  async dialAddress(address: string, signal: AbortSignal): Promise<ConnectionWire> {
    return new ConnectionWire(await this.#node.dial(parseAddress(address), { signal }));
  }

  stop(): void {
    this.#cancelSweep();
  }

  /** A connection closes once nothing of ours has used it for a while. */
  #sweep(): void {
    const nowMs = this.#clock.now();
    const open = this.#node.getConnections();
    for (const id of this.#idleSince.keys()) {
      if (!open.some((connection) => connection.id === id)) this.#idleSince.delete(id);
    }
    for (const connection of open) {
      const used =
        this.#isKept(connection.remotePeer.toString()) ||
        connection.streams.some(({ protocol }) => keptProtocols.test(protocol));
      if (used) {
        this.#idleSince.delete(connection.id);
        continue;
      }
      const sinceMs = this.#idleSince.get(connection.id);
      if (sinceMs === undefined) this.#idleSince.set(connection.id, nowMs);
      else if (nowMs - sinceMs > this.#idleAfterMs) void closeQuietly(connection);
    }
    void forgetAbsentPeers(this.#node);
    this.#cancelSweep = this.#clock.setTimeout(() => this.#sweep(), this.#idleAfterMs / 3);
  }
}

/**
 * libp2p's peer store keeps every peer that ever came. Nothing here rests on it, since whoever dials
 * brings the addresses along: who has no connection is forgotten (T10). Never rejects.
 */
export async function forgetAbsentPeers(node: Libp2p): Promise<void> {
  try {
    for (const { id } of await node.peerStore.all()) {
      if (id.equals(node.peerId) || node.getConnections(id).length > 0) continue;
      await node.peerStore.delete(id);
    }
  } catch {
    // The store closes with the node; next time is early enough for anything else.
  }
}

/** Ends a connection whatever state it is in. */
export async function closeQuietly(connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(1_000) });
  } catch {
    connection.abort(new Error('closing took too long'));
  }
}
