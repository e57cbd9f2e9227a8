/**
 * One link to another host, from the first byte to the last: handshake, hello, then sealed frames.
 *
 * A frame's way in: length checked by the transport → opened → reassembled → handed on. Nothing is
 * handed on before the other side's hello arrived, for only then is known whose runs are joined
 * (Z1); what overtakes the hello waits, bounded.
 */
import type { Channel, Cipher, Clock, Handshake, Link, LinkCipher } from '@quorate/contracts';
import { encodeCbor, equalBytes, isQuorateError, QuorateError } from '@quorate/contracts';
import { fragment, Reassembler } from './fragments.ts';
import { decodeHello, encodeHello } from './hello.ts';
import type { Hello } from './hello.ts';
import { RpcPeer } from './rpc.ts';
import type { RequestOptions, RpcHandler, RpcRequest } from './rpc.ts';

export type PeerEvents = {
  /** The first hello arrived: the link counts from here on. */
  ready(peer: Peer): void;
  /** A later hello of the same runs. */
  renewed(peer: Peer): void;
  frame(peer: Peer, channel: 'raft' | 'bulk', body: Uint8Array): void;
  request(peer: Peer): RpcHandler;
  /** The other side failed to prove the secret, or a frame did not open. */
  refused(peer: Peer, error: QuorateError): void;
};

export type PeerOptions = {
  readonly link: Link;
  readonly localHost: string;
  readonly frameBytesMax: number;
  readonly cipher: Cipher;
  readonly clock: Clock;
  readonly hello: () => Hello;
  readonly events: PeerEvents;
};

export class Peer {
  readonly link: Link;
  readonly rpc: RpcPeer;
  readonly #options: PeerOptions;
  readonly #handshake: Handshake;
  readonly #reassemblers: Record<Channel, Reassembler>;
  readonly #waiting: { channel: Channel; frame: Uint8Array }[] = [];
  #waitingBytes = 0;
  /** A sealed frame that the link refused: it holds the next counter, so it goes first. */
  readonly #stuck = new Map<Channel, Uint8Array[]>();
  #cipher: LinkCipher | null = null;
  #hello: Hello | null = null;
  #helloDue = false;
  #closed = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.link = options.link;
    this.#handshake = options.cipher.handshake({
      initiator: options.link.initiator,
      local: options.localHost,
      remote: options.link.host,
    });
    this.#reassemblers = {
      raft: new Reassembler(bodyBytesMax),
      bulk: new Reassembler(bodyBytesMax),
      rpc: new Reassembler(bodyBytesMax),
    };
    this.rpc = new RpcPeer(
      options.clock,
      (frame) => this.#sendBody('rpc', prefixed(rpcBody, frame)),
      options.events.request(this),
    );
    this.link.send('rpc', this.#handshake.first());
  }

  /** What the other side said last; null until its first hello. */
  get hello(): Hello | null {
    return this.#hello;
  }

  get open(): boolean {
    return !this.#closed && this.#hello !== null;
  }

  request(request: RpcRequest, options: RequestOptions): Promise<Uint8Array> {
    return this.rpc.request(request, options);
  }

  /** Queues one body; false when the link cannot take it now. */
  send(channel: 'raft' | 'bulk', body: Uint8Array): boolean {
    return this.open && this.#sendBody(channel, body);
  }

  unsentBytes(channel: Channel): number {
    const stuck = this.#stuck.get(channel) ?? [];
    return stuck.reduce((sum, frame) => sum + frame.length, this.link.unsentBytes(channel));
  }

  /** Tells the other side what changed here. */
  sendHello(): void {
    if (this.#cipher === null || this.#closed) return;
    const body = prefixed(helloBody, encodeHello(this.#options.hello()));
    this.#helloDue = !this.#sendBody('rpc', body);
  }

  receive(channel: Channel, frame: Uint8Array): void {
    if (this.#closed) return;
    try {
      if (this.#cipher === null && channel === 'rpc') this.#receiveHandshake(frame);
      else if (this.#cipher === null || (this.#hello === null && channel !== 'rpc')) {
        this.#wait(channel, frame);
      } else this.#receiveSealed(channel, this.#cipher, frame);
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      // The last word of a failed handshake, so that the other side learns why.
      const reply = error.details['reply'];
      if (reply instanceof Uint8Array) this.link.send('rpc', reply);
      this.#options.events.refused(this, error);
      this.close(error.code);
    }
  }

  drained(channel: Channel): void {
    const stuck = this.#stuck.get(channel);
    if (stuck === undefined) return;
    while (stuck.length > 0) {
      const frame = stuck[0];
      if (frame === undefined || !this.link.send(channel, frame)) return;
      stuck.shift();
    }
    this.#stuck.delete(channel);
    if (channel === 'rpc' && this.#helloDue) this.sendHello();
  }

  /** Closes the link; the transport makes a new one if it is still wanted. */
  close(reason: string): void {
    if (this.#closed) return;
    this.down(reason);
    this.link.close(reason);
  }

  /** The link is gone. */
  down(reason: string): void {
    this.#closed = true;
    this.rpc.close(reason);
  }

  #receiveHandshake(frame: Uint8Array): void {
    const { reply, done } = this.#handshake.receive(frame);
    if (reply !== null) this.link.send('rpc', reply);
    if (done === null) return;
    this.#cipher = done;
    this.sendHello();
  }

  #receiveSealed(channel: Channel, cipher: LinkCipher, frame: Uint8Array): void {
    const body = this.#reassemblers[channel].push(cipher.open(channel, frame));
    if (body === null) return;
    if (channel !== 'rpc') {
      this.#options.events.frame(this, channel, body);
      return;
    }
    const kind = body[0];
    if (kind === helloBody) this.#receiveHello(decodeHello(body.subarray(1)));
    // The hello is the first thing said on this channel: before it nobody knows who asks (Z1).
    else if (kind === rpcBody && this.#hello !== null) this.rpc.receive(body.subarray(1));
    else throw new QuorateError('BAD_REQUEST', `Cannot read rpc frame kind ${String(kind)}`);
  }

  #receiveHello(hello: Hello): void {
    if (hello.host !== this.link.host) {
      throw new QuorateError('BAD_REQUEST', `Cannot accept host ${hello.host} on this link`);
    }
    const first = this.#hello === null;
    if (this.#hello !== null && !sameRuns(this.#hello, hello)) {
      // Z1: a link joins two runs. Another run needs another link.
      this.close('run changed');
      return;
    }
    this.#hello = hello;
    if (!first) {
      this.#options.events.renewed(this);
      return;
    }
    this.#options.events.ready(this);
    this.#waitingBytes = 0;
    for (const { channel, frame } of this.#waiting.splice(0)) this.receive(channel, frame);
  }

  #wait(channel: Channel, frame: Uint8Array): void {
    this.#waitingBytes += frame.length;
    if (this.#waiting.length >= waitingCountMax || this.#waitingBytes > waitingBytesMax) {
      throw new QuorateError('BAD_REQUEST', 'Cannot hold more frames before the hello');
    }
    this.#waiting.push({ channel, frame });
  }

  #sendBody(channel: Channel, body: Uint8Array): boolean {
    const cipher = this.#cipher;
    if (this.#closed || cipher === null || this.#stuck.has(channel)) return false;
    const limit = this.#options.frameBytesMax - this.#options.cipher.overheadBytes;
    const refused: Uint8Array[] = [];
    for (const part of fragment(body, limit)) {
      const sealed = cipher.seal(channel, part);
      if (refused.length > 0 || !this.link.send(channel, sealed)) refused.push(sealed);
    }
    if (refused.length > 0) this.#stuck.set(channel, refused);
    return true;
  }
}

function prefixed(kind: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = kind;
  bytes.set(body, 1);
  return bytes;
}

/** By all that a run signs, and the signature: it is looked at once (Z39). */
function sameRuns(a: Hello, b: Hello): boolean {
  const said = ({ runs }: Hello): Uint8Array =>
    encodeCbor(
      runs.map(({ nodeId, epoch, nonce, past, proof }) => [nodeId, epoch, nonce, past, proof]),
    );
  return equalBytes(said(a), said(b));
}

const helloBody = 1;
const rpcBody = 2;
/** One message: an entry of the largest request size, with room around it. */
const bodyBytesMax = 8 * 1024 * 1024;
const waitingCountMax = 1_024;
/** A stranger may make a host hold no more than one body. */
const waitingBytesMax = bodyBytesMax;
