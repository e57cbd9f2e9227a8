/**
 * Finds the way to a host: direct if that is quick, by WebRTC if that works here, else through a
 * relay. What it finds are wires; whether anybody answers on them shows when a link is opened.
 */
import { QuorateError } from '@quorate/contracts';
import type { HostId } from '@quorate/contracts';
import type { WebRtc } from '../webrtc/web-rtc.ts';
import type { ConnectionWire } from './connection-wire.ts';
import { rotated, sortPaths, webRtcDeadlineMs } from './dial-policy.ts';
import type { Paths } from './dial-policy.ts';
import type { LinkTiming } from './options.ts';
import type { Wire } from './wire.ts';

/** What the host's networks do. */
export type Networks = {
  readonly timing: LinkTiming;
  /** Null where WebRTC is not to be had. */
  readonly webRtc: WebRtc | null;
  /** Whether they reach a direct address at all. */
  canDial(address: string): boolean;
  /** Open connections to a host, direct ones first. */
  wiresTo(host: HostId): readonly ConnectionWire[];
  /** `fresh`: not satisfied with a connection that exists. */
  dial(
    host: HostId,
    addresses: readonly string[],
    options: { readonly signal: AbortSignal; readonly fresh: boolean },
  ): Promise<ConnectionWire>;
  dialAddress(address: string, signal: AbortSignal): Promise<ConnectionWire>;
};

/** A host, and what trying to reach it has taught. */
export type Destination = {
  readonly host: HostId;
  /** Null: nobody here wants a link to it. */
  addresses: readonly string[] | null;
  /** Since WebRTC last worked with it. */
  webRtcFailures: number;
  /** Grows by one each time its addresses are used. */
  turn: number;
};

export class PathFinder {
  readonly #networks: Networks;

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  /** The best wire to be had: direct if that is quick, else through a relay. */
  async find(to: Destination, signal: AbortSignal): Promise<Wire> {
    const [existing] = this.#networks.wiresTo(to.host);
    if (existing !== undefined && existing.kind !== 'relayed') return existing;
    const paths = this.paths(to);
    const hasOther = existing !== undefined || paths.relayed.length > 0;
    if (paths.direct.length > 0 || !hasOther) {
      try {
        // A dead address must not eat the time of the path through the relay.
        const quick = AbortSignal.timeout(this.#networks.timing.dialTimeoutMs / 2);
        return await this.#networks.dial(to.host, paths.direct, {
          signal: hasOther ? AbortSignal.any([signal, quick]) : signal,
          fresh: existing !== undefined,
        });
      } catch (error) {
        if (!hasOther || signal.aborted) throw error;
      }
    }
    const relayed = await this.#relayed(to, paths, signal);
    if (relayed.kind !== 'relayed') return relayed;
    const { webRtc } = this.#networks;
    const isPromising = webRtc?.record.isPromising(to.webRtcFailures) === true;
    return paths.webRtc && isPromising ? this.overWebRtc(to, relayed, signal) : relayed;
  }

  /** A connection through a relay, or what came in meanwhile. */
  async #relayed(to: Destination, paths: Paths, signal: AbortSignal): Promise<ConnectionWire> {
    const [now] = this.#networks.wiresTo(to.host);
    return now ?? this.#networks.dial(to.host, paths.relayed, { signal, fresh: false });
  }

  /** A wire by WebRTC, or the relayed one where that is not to be had soon. */
  async overWebRtc(to: Destination, relayed: ConnectionWire, signal: AbortSignal): Promise<Wire> {
    const wire = await this.#dialWebRtc(to, relayed, signal);
    return wire ?? relayed;
  }

  /** Null when WebRTC did not come to be within its deadline. */
  async #dialWebRtc(
    to: Destination,
    relayed: ConnectionWire,
    signal: AbortSignal,
  ): Promise<Wire | null> {
    const { webRtc, timing } = this.#networks;
    if (webRtc === null || relayed.kind !== 'relayed') return null;
    const deadlineMs = webRtcDeadlineMs(to.webRtcFailures, timing);
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
      return await webRtc.dial(relayed, within);
    } catch {
      // An attempt that was called off says nothing about the network.
      if (!signal.aborted) {
        to.webRtcFailures += 1;
        webRtc.record.failed();
      }
      return null;
    }
  }

  /** What is known of the way to a host; each time another direct address comes first. */
  paths(to: Destination): Paths {
    const paths = sortPaths(to.addresses ?? [], (address) => this.#networks.canDial(address));
    to.turn += 1;
    return { ...paths, direct: rotated(paths.direct, to.turn) };
  }

  /** Whether there is a way to the host that no relay carries. */
  hasDirect(to: Destination): boolean {
    const paths = this.paths(to);
    return paths.direct.length > 0 || (paths.webRtc && this.#networks.webRtc !== null);
  }

  /** Any wire that no relay carries. Rejects with `UNREACHABLE` where there is none. */
  async findDirect(to: Destination, signal: AbortSignal): Promise<Wire> {
    const paths = this.paths(to);
    const [existing] = this.#networks.wiresTo(to.host);
    if (existing !== undefined && existing.kind !== 'relayed') return existing;
    if (paths.direct.length > 0) {
      try {
        return await this.#networks.dial(to.host, paths.direct, { signal, fresh: true });
      } catch (error) {
        if (!paths.webRtc || signal.aborted) throw error;
      }
    }
    const relayed = await this.#relayed(to, paths, signal);
    const wire = await this.#dialWebRtc(to, relayed, signal);
    if (wire === null) throw new QuorateError('UNREACHABLE', `Cannot reach ${to.host} directly`);
    return wire;
  }
}
