/**
 * A place on a relay where others can reach a host that cannot be dialled itself. libp2p does not
 * make a reservation again by itself after the relay was away (libp2p/js-libp2p#3601): the same
 * listener has to be told to listen once more.
 */
import type { Connection, Listener } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Libp2p } from 'libp2p';

/** The part of a node that listens; libp2p keeps its type to itself. */
type TransportManager = {
  listen(addresses: Multiaddr[]): Promise<void>;
  getListeners(): Listener[];
};

export class Reservation {
  readonly #transportManager: TransportManager;
  #listener: Listener | null = null;
  #relayId = '';

  constructor(node: Libp2p) {
    this.#transportManager = componentsOf(node).transportManager;
  }

  /** The addresses that this reservation gives; empty without one. */
  addresses(): readonly string[] {
    return (this.#listener?.getAddrs() ?? []).map((address) => address.toString());
  }

  /** Makes the reservation over an open connection to the relay, if there is none. May throw. */
  async ensure(connection: Connection): Promise<void> {
    if (this.addresses().length > 0) return;
    const relayId = connection.remotePeer.toString();
    const text = connection.remoteAddr.toString();
    const relay = text.includes('/p2p/') ? text : `${text}/p2p/${relayId}`;
    const address = multiaddr(`${relay}/p2p-circuit`);
    // A relay that came back with another key is another relay, and gets a listener of its own.
    if (this.#listener !== null && this.#relayId === relayId) {
      await this.#listener.listen(address);
      return;
    }
    const before = new Set(this.#transportManager.getListeners());
    await this.#transportManager.listen([address]);
    this.#listener =
      this.#transportManager.getListeners().find((listener) => !before.has(listener)) ?? null;
    this.#relayId = relayId;
  }
}

/** The parts of a node are there at run time and not in its public type. */
function componentsOf(node: Libp2p): { readonly transportManager: TransportManager } {
  return (node as unknown as { components: { transportManager: TransportManager } }).components;
}
