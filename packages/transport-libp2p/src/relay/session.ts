/** One host's stream of requests to a relay: read, checked, paced, answered. */
import { isQuorateError } from '@quorate/contracts';
import type { Clock, VerifyRecord } from '@quorate/contracts';
import { FramedStream } from '../host/framed-stream.ts';
import type { ByteStream } from '../host/wire.ts';
import { MessageError } from '../wire/fields.ts';
import { decodeRequest, encodeMessage, requestBytesMax } from '../wire/relay-messages.ts';
import type { Answer, Greeting, Request, StoredAnnouncement } from '../wire/relay-messages.ts';
import type { MeetingPoint, Watcher } from './meeting-point.ts';
import type { RegisterStore } from './register-store.ts';
import type { ServedTopics } from './served-topics.ts';

export type SessionOptions = {
  readonly stream: ByteStream;
  /** Proved by the connection. */
  readonly host: string;
  /** Where it comes from, for what it may take; see `addressOf`. */
  readonly address: string;
  readonly greeting: Greeting;
  /** Null where this relay does not decide; `refusal` then says why. */
  readonly store: RegisterStore | null;
  readonly refusal: Extract<Answer, { type: 'error' }>;
  readonly meetingPoint: MeetingPoint;
  readonly served: ServedTopics;
  /** A certificate of what the register has come to; null where there is none. */
  receipt(): Promise<Uint8Array | null>;
  /** The host showed one that it has seen. */
  shown(receipt: Uint8Array): Promise<void>;
  readonly verify: VerifyRecord;
  readonly clock: Clock;
  onEnd(): void;
};

/** A host may ask so much at once, and so much each second. */
const requestsBurst = 400;
const requestsPerSecond = 100;
const queueBytesMax = 4 * 1024 * 1024;
/** Requests of one session that are being carried out. */
const pendingMax = 64;

export class RelaySession implements Watcher {
  readonly #options: SessionOptions;
  readonly #stream: FramedStream;
  #allowance = requestsBurst;
  #allowanceMs: number;
  #pending = 0;
  /** When it last asked for anything. */
  heardAt: number;
  #over = false;
  /** That the host was told last. */
  #certificate: Uint8Array | null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#certificate = options.greeting.certificate;
    this.#allowanceMs = options.clock.now();
    this.heardAt = this.#allowanceMs;
    this.#stream = new FramedStream({
      stream: options.stream,
      prefixBytes: 0,
      frameBytesMax: requestBytesMax,
      queueBytesMax,
      events: {
        prefix: () => {},
        control: () => {},
        drained: () => {},
        ended: () => this.#end(),
        frame: (frame) => this.#take(frame),
      },
    });
    this.#stream.send(encodeMessage(options.greeting));
  }

  /** Once more, for something of it changed. */
  greet(greeting: Greeting): void {
    this.#certificate = greeting.certificate;
    this.#send(greeting);
  }

  tell(topic: string, host: StoredAnnouncement): void {
    if (host.host !== this.#options.host) this.#send({ type: 'announced', topic, host });
  }

  close(): void {
    this.#stream.close(500);
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.meetingPoint.leave(this);
    this.#options.onEnd();
  }

  get host(): string {
    return this.#options.host;
  }

  #take(frame: Uint8Array): void {
    this.heardAt = this.#options.clock.now();
    let request: Request;
    try {
      request = decodeRequest(frame);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#stream.abort(error.message);
      this.#end();
      return;
    }
    if (!this.#isAllowed() || this.#pending >= pendingMax) {
      const message = 'Cannot answer: too many requests, wanted fewer';
      this.#send({ type: 'error', id: request.id, code: 'OVERLOADED', message });
      return;
    }
    this.#pending += 1;
    void this.#answer(request).then((answer) => {
      this.#pending -= 1;
      this.#send(answer);
    });
  }

  async #answer(request: Request): Promise<Answer> {
    const { id } = request;
    try {
      return await this.#carryOut(request);
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      return { type: 'error', id, code: error.code, message: error.message.slice(0, 500) };
    }
  }

  async #carryOut(request: Request): Promise<Answer> {
    const { host, store, refusal, meetingPoint, verify } = this.#options;
    const { id } = request;
    if (request.type !== 'ping') this.#options.served.check(request.topic);
    switch (request.type) {
      case 'ping':
        return { type: 'done', id };
      case 'read':
        if (store === null) return { ...refusal, id };
        return {
          ...{ type: 'value', id, ...store.read(request, request.writesBack) },
          certificate: await this.#newCertificate(),
        };
      case 'set': {
        if (store === null) return { ...refusal, id };
        const from = { peer: host, address: this.#options.address };
        const result = await store.compareAndSet(request, request, from);
        if (result.ok) meetingPoint.remember(request.topic);
        const { ok, current, floor } = result;
        const certificate = await this.#newCertificate();
        return { type: 'set', id, ok, current: ok ? null : current, floor, certificate };
      }
      case 'announce': {
        const { topic, version, record } = request;
        if (!verify(topic, 'announce', version, record)) {
          const message = 'Cannot announce: the record is not signed for this topic and version';
          return { type: 'error', id, code: 'BAD_REQUEST', message };
        }
        meetingPoint.announce(topic, { host, version, record });
        if (request.receipt !== null) await this.#options.shown(request.receipt);
        return { type: 'done', id };
      }
      case 'withdraw':
        meetingPoint.withdraw(request.topic, host);
        return { type: 'done', id };
      case 'list':
        return { type: 'hosts', id, hosts: this.#others(request.topic) };
      case 'watch':
        meetingPoint.watch(request.topic, this);
        return { type: 'hosts', id, hosts: this.#others(request.topic) };
      case 'unwatch':
        meetingPoint.unwatch(request.topic, this);
        return { type: 'done', id };
    }
  }

  async #newCertificate(): Promise<Uint8Array | null> {
    const certificate = await this.#options.receipt();
    if (certificate === this.#certificate) return null;
    this.#certificate = certificate;
    return certificate;
  }

  #others(topic: string): readonly StoredAnnouncement[] {
    const { meetingPoint, host } = this.#options;
    return meetingPoint.list(topic).filter((listed) => listed.host !== host);
  }

  #send(message: Parameters<typeof encodeMessage>[0]): void {
    if (this.#over || this.#stream.send(encodeMessage(message))) return;
    // Who does not read is let go; it may come back.
    this.#stream.abort('does not read');
    this.#end();
  }

  /** A token bucket. */
  #isAllowed(): boolean {
    const nowMs = this.#options.clock.now();
    const earned = ((nowMs - this.#allowanceMs) / 1_000) * requestsPerSecond;
    this.#allowance = Math.min(requestsBurst, this.#allowance + earned);
    this.#allowanceMs = nowMs;
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }
}
