/** WebRTC without a network: peer connections of one process that find each other by description. */

type Fate = 'connects' | 'never connects';

export class FakeNetwork {
  fate: Fate = 'connects';
  readonly connections: FakePeerConnection[] = [];

  create(): RTCPeerConnection {
    const connection = new FakePeerConnection(this);
    this.connections.push(connection);
    return connection as unknown as RTCPeerConnection;
  }
}

/** What the transport uses of an RTCPeerConnection. A description is its position in the network. */
export class FakePeerConnection extends EventTarget {
  connectionState = 'new';
  /** Candidates that the other side has told. */
  readonly candidates: string[] = [];
  readonly #network: FakeNetwork;
  readonly #channels: FakeDataChannel[] = [];
  #remote: FakePeerConnection | null = null;
  #isDescribed = false;

  constructor(network: FakeNetwork) {
    super();
    this.#network = network;
  }

  createDataChannel(label: string): FakeDataChannel {
    const channel = new FakeDataChannel(label);
    this.#channels.push(channel);
    return channel;
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'offer', sdp: `${this.#network.connections.indexOf(this)}` };
  }

  async createAnswer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'answer', sdp: `${this.#network.connections.indexOf(this)}` };
  }

  async setLocalDescription(): Promise<void> {
    this.#isDescribed = true;
    const event = new Event('icecandidate');
    Object.assign(event, { candidate: { candidate: 'way', sdpMid: '0', sdpMLineIndex: 0 } });
    this.dispatchEvent(event);
    this.#connect();
  }

  async setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    const remote = this.#network.connections[Number(sdp)];
    if (remote === undefined || sdp === '') throw new Error('not a description');
    this.#remote = remote;
    this.#connect();
  }

  async addIceCandidate({ candidate }: { candidate: string }): Promise<void> {
    this.candidates.push(candidate);
  }

  close(): void {
    if (this.connectionState === 'closed') return;
    this.connectionState = 'closed';
    for (const channel of this.#channels) channel.lose();
    const remote = this.#remote;
    if (remote !== null) for (const channel of remote.#channels) channel.lose();
  }

  /** What a browser says when no way is left. */
  fail(): void {
    this.connectionState = 'failed';
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  #connect(): void {
    const remote = this.#remote;
    if (remote === null || this.#network.fate === 'never connects') return;
    const both = this.#isDescribed && remote.#isDescribed && remote.#remote === this;
    if (!both || this.connectionState !== 'new' || remote.connectionState !== 'new') return;
    this.connectionState = 'connected';
    remote.connectionState = 'connected';
    for (const [index, channel] of this.#channels.entries()) {
      const other = remote.#channels[index];
      if (other !== undefined) channel.join(other);
    }
  }
}

export class FakeDataChannel extends EventTarget {
  readonly label: string;
  readyState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = '';
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  /** True: what is sent stays in the buffer until `flush`. */
  isSlow = false;
  #other: FakeDataChannel | null = null;
  #buffer: Uint8Array[] = [];

  constructor(label: string) {
    super();
    this.label = label;
  }

  join(other: FakeDataChannel): void {
    this.#other = other;
    other.#other = this;
    for (const channel of [this, other]) {
      channel.readyState = 'open';
      queueMicrotask(() => {
        channel.onopen?.();
        channel.dispatchEvent(new Event('open'));
      });
    }
  }

  send(bytes: Uint8Array): void {
    if (this.readyState !== 'open') throw new Error('not open');
    this.#buffer.push(bytes.slice());
    this.bufferedAmount += bytes.length;
    if (!this.isSlow) queueMicrotask(() => this.flush());
  }

  /** Hands over what is buffered. */
  flush(): void {
    const before = this.bufferedAmount;
    const messages = this.#buffer;
    this.#buffer = [];
    this.bufferedAmount = 0;
    for (const message of messages) {
      this.#other?.onmessage?.({ data: message.buffer });
    }
    if (before > this.bufferedAmountLowThreshold) this.onbufferedamountlow?.();
  }

  close(): void {
    if (this.readyState === 'closed') return;
    const other = this.#other;
    queueMicrotask(() => {
      this.lose();
      other?.lose();
    });
  }

  /** It is gone, by whomever. */
  lose(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.onclose?.();
  }
}
