/**
 * Two hosts joined by WebRTC: one peer connection with one data channel per channel of a link, agreed
 * beforehand, so that neither side announces or awaits any. It carries one link and ends with it.
 */
import type { Channel, HostId } from '@quorate/contracts';
import { channels } from '../host/link-protocol.ts';
import type { ByteStream, Wire } from '../host/wire.ts';
import { DataChannelStream } from './data-channel-stream.ts';

export class RtcWire implements Wire {
  readonly id: string;
  readonly host: HostId;
  readonly kind = 'webrtc';
  readonly #peerConnection: RTCPeerConnection;
  readonly #streams: Readonly<Record<Channel, DataChannelStream>>;
  readonly #waiting = new Set<() => void>();
  #over = false;

  constructor(id: string, host: HostId, peerConnection: RTCPeerConnection) {
    this.id = id;
    this.host = host;
    this.#peerConnection = peerConnection;
    let left = channels.length;
    const stream = (channel: Channel): DataChannelStream => {
      const dataChannel = peerConnection.createDataChannel(channel, {
        negotiated: true,
        id: channels.indexOf(channel),
      });
      dataChannel.addEventListener('open', () => this.#wake());
      return new DataChannelStream(dataChannel, () => {
        left -= 1;
        if (left === 0) this.discard();
      });
    };
    this.#streams = { raft: stream('raft'), bulk: stream('bulk'), rpc: stream('rpc') };
    peerConnection.addEventListener('connectionstatechange', () => {
      if (['failed', 'closed'].includes(peerConnection.connectionState)) this.discard();
    });
  }

  get isOpen(): boolean {
    return !this.#over && channels.every((channel) => this.#streams[channel].isOpen);
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Resolves once every channel is open. Rejects with the end of the wire or with `signal`. */
  async opened(signal: AbortSignal): Promise<void> {
    while (!this.isOpen) {
      if (this.#over || signal.aborted) throw new Error('WebRTC did not come to be');
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }

  /** The stream of a channel, open or not yet. */
  stream(channel: Channel): ByteStream {
    return this.#streams[channel];
  }

  async open(channel: Channel): Promise<ByteStream> {
    return this.#streams[channel];
  }

  discard(): void {
    if (this.#over) return;
    this.#over = true;
    this.#peerConnection.close();
    for (const channel of channels) this.#streams[channel].reset();
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
