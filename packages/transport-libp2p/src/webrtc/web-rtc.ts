/** WebRTC of one host: dials through relayed connections, and answers those who dial. */
import type { HostId } from '@quorate/contracts';
import type { ConnectionWire } from '../host/connection-wire.ts';
import { WebRtcRecord } from '../host/dial-policy.ts';
import type { IncomingLinks } from '../host/incoming-links.ts';
import { channels } from '../host/link-protocol.ts';
import type { ByteStream, Wire } from '../host/wire.ts';
import { answer, offer } from './negotiation.ts';
import { RtcWire } from './rtc-wire.ts';
import { webRtcProtocol } from './signals.ts';

/** Peer connections are dear: strangers may make us hold so many unfinished ones. */
const answeringMax = 32;
const answeringPerHostMax = 3;

export type WebRtcOptions = {
  /** A new connection, with the servers that this host uses to find its own addresses. */
  readonly createPeerConnection: () => RTCPeerConnection;
  /** For an offer that was accepted to become open channels. */
  readonly openTimeoutMs: number;
};

export class WebRtc {
  readonly record: WebRtcRecord = new WebRtcRecord();
  readonly #options: WebRtcOptions;
  readonly #answering = new Map<HostId, number>();
  #wires = 0;
  #answeringCount = 0;

  constructor(options: WebRtcOptions) {
    this.#options = options;
  }

  /** Whether a host is dialling this one right now. */
  isAnswering(host: HostId): boolean {
    return this.#answering.has(host);
  }

  /** Makes a wire to the host at the other end of `relayed`. Rejects when `signal` comes first. */
  async dial(relayed: ConnectionWire, signal: AbortSignal): Promise<Wire> {
    const stream = await relayed.stream(webRtcProtocol, signal);
    const { peerConnection, wire } = this.#create(relayed.host);
    await offer({ stream, peerConnection, wire }, signal);
    return wire;
  }

  /** Answers an offer; what the other side opens on the new wire goes to `incoming`. */
  accept(stream: ByteStream, from: HostId, incoming: IncomingLinks): void {
    const count = this.#answering.get(from) ?? 0;
    if (count >= answeringPerHostMax || this.#answeringCount >= answeringMax) {
      stream.abort('too many offers');
      return;
    }
    this.#answering.set(from, count + 1);
    this.#answeringCount += 1;
    const { peerConnection, wire } = this.#create(from);
    for (const channel of channels) incoming.accept(channel, wire.stream(channel), wire);
    answer({ stream, peerConnection, wire }, AbortSignal.timeout(this.#options.openTimeoutMs))
      // The other side tries again if it wants to.
      .catch(() => {})
      .finally(() => {
        this.#answeringCount -= 1;
        const left = (this.#answering.get(from) ?? 1) - 1;
        if (left === 0) this.#answering.delete(from);
        else this.#answering.set(from, left);
      });
  }

  #create(host: HostId): { readonly peerConnection: RTCPeerConnection; readonly wire: RtcWire } {
    const peerConnection = this.#options.createPeerConnection();
    this.#wires += 1;
    return { peerConnection, wire: new RtcWire(`webrtc ${this.#wires}`, host, peerConnection) };
  }
}
