/** One host's stream of requests to a relay: read, checked, paced, answered. */
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { FramedStream } from '../host/framed-stream.ts';
import type { ByteStream } from '../host/wire.ts';
import { MessageError } from '../wire/fields.ts';
import { decodeRequest, encodeMessage, requestBytesMax } from '../wire/relay-messages.ts';
import type { Answer, Greeting, Request, StoredAnnouncement } from '../wire/relay-messages.ts';
import type { Budget, Source } from './budget.ts';
import { costs } from './limits.ts';
import type { MeetingPoint, Watcher } from './meeting-point.ts';
import { Pace } from './pace.ts';
import type { RegisterStore } from './register-store.ts';
import type { RememberedChecks } from './remembered-checks.ts';
import type { ServedTopics } from './served-topics.ts';
import type { Turns } from './turns.ts';

export type SessionOptions = {
  readonly stream: ByteStream & ConstructorParameters<typeof Pace>[0]['stream'];
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
  readonly checks: RememberedChecks;
  readonly budget: Budget;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Whether so many bytes more may wait for hosts of its address. */
  mayWait(bytes: number): boolean;
  /** The host said, over this session, where it can be reached. */
  onAnnounced(): void;
  onEnd(): void;
};

const queueBytesMax = 4 * 1024 * 1024;
/** Waits for a host that reads, too. */
const unsentBytesLight = 64 * 1024;

export class RelaySession implements Watcher {
  readonly #options: SessionOptions;
  readonly #source: Source;
  /** Topics on which its host is announced. */
  readonly #announced = new Set<string>();
  readonly #stream: FramedStream;
  readonly #pace: Pace;
  /** When it last asked for anything. */
  heardAt: number;
  #over = false;
  /** That the host was told last. */
  #certificate: Uint8Array | null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#certificate = options.greeting.certificate;
    this.#source = { peer: options.host, address: options.address };
    this.heardAt = options.clock.now();
    this.#pace = new Pace({
      stream: options.stream,
      setTimeout: (callback, delayMs) => options.clock.setTimeout(callback, delayMs),
      begin: (frame) => this.#begin(frame),
    });
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
        frame: (frame) => {
          this.heardAt = options.clock.now();
          this.#pace.push(frame);
        },
      },
    });
    this.#stream.send(encodeMessage(options.greeting));
  }

  /** Once more, for something of it changed. */
  greet(greeting: Greeting): void {
    this.#certificate = greeting.certificate;
    this.#send(greeting);
  }

  tell(host: string, frame: Uint8Array): void {
    if (host !== this.#options.host) this.#sendFrame(frame);
  }

  close(): void {
    this.#stream.close(500);
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#pace.close();
    this.#options.meetingPoint.leave(this);
    this.#options.onEnd();
  }

  /**
   * Whether its host is announced anywhere: until it withdraws, and not for 30 s only, for a page in the
   * background may speak once a minute.
   */
  get isAnnounced(): boolean {
    return [...this.#announced].some((topic) => this.#options.served.serves(topic));
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get address(): string {
    return this.#options.address;
  }

  get host(): string {
    return this.#options.host;
  }

  #begin(frame: Uint8Array): ReturnType<ConstructorParameters<typeof Pace>[0]['begin']> {
    let request: Request;
    try {
      request = decodeRequest(frame);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#stream.abort(error.message);
      this.#end();
      return 'refused';
    }
    const { budget, turns, host } = this.#options;
    if (!budget.take(this.#source, this.#costOf(request))) {
      // Whoever hears no answer to a ping takes the relay for dead, and would only come again.
      if (request.type === 'ping') return 'later';
      const message =
        'Cannot answer: this host, or its address, has asked for more work than its share; wanted less';
      this.#send({ type: 'error', id: request.id, code: 'OVERLOADED', message });
      return 'refused';
    }
    turns.run(host, () => {
      if (this.#over) return;
      void this.#answer(request).then((answer) => {
        this.#send(answer);
        this.#pace.ended();
      });
    });
    return 'begun';
  }

  /** What it takes, but for a signature that turns out to be wrong. */
  #costOf(request: Request): number {
    const { checks, meetingPoint } = this.#options;
    switch (request.type) {
      case 'set': {
        const { topic, expectedVersion, record } = request;
        const isKnown = checks.knows(topic, 'register', expectedVersion + 1, record);
        return costs.request + (isKnown ? 0 : costs.check);
      }
      case 'announce': {
        const { topic, version, record } = request;
        const isKnown = checks.knows(topic, 'announce', version, record);
        const told = unitsOf(meetingPoint.watcherCount(topic));
        return costs.request + (isKnown ? 0 : costs.check) + told;
      }
      case 'list':
      case 'watch':
        return costs.request + unitsOf(meetingPoint.hostCount(request.topic));
      default:
        return costs.request;
    }
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
    const { host, store, refusal, meetingPoint } = this.#options;
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
        // The store looks once more, at what is remembered by then.
        this.#check('set a register', [
          request.topic,
          'register',
          request.expectedVersion + 1,
          request.record,
        ]);
        const from = { peer: host, address: this.#options.address };
        const result = await store.compareAndSet(request, request, from);
        if (result.ok) meetingPoint.remember(request.topic);
        const { ok, current, floor } = result;
        const certificate = await this.#newCertificate();
        return { type: 'set', id, ok, current: ok ? null : current, floor, certificate };
      }
      case 'announce': {
        const { topic, version, record } = request;
        this.#check('announce', [topic, 'announce', version, record]);
        meetingPoint.announce(topic, { host, version, record });
        this.#announced.add(topic);
        this.#options.onAnnounced();
        if (request.receipt !== null) await this.#options.shown(request.receipt);
        return { type: 'done', id };
      }
      case 'withdraw':
        meetingPoint.withdraw(request.topic, host);
        this.#announced.delete(request.topic);
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

  /** Throws `BAD_REQUEST` for what is not signed, which costs its sender fifty times as much. */
  #check(action: string, record: Parameters<RememberedChecks['verify']>): void {
    const { checks, budget } = this.#options;
    if (checks.verify(...record)) return;
    budget.charge(this.#source, costs.wrong);
    throw new QuorateError(
      'BAD_REQUEST',
      `Cannot ${action}: the record is not signed for this topic and version`,
    );
  }

  #send(message: Parameters<typeof encodeMessage>[0]): void {
    this.#sendFrame(encodeMessage(message));
  }

  #sendFrame(frame: Uint8Array): void {
    if (this.#over) return;
    const isLight = this.unsentBytes + frame.length <= unsentBytesLight;
    if ((isLight || this.#options.mayWait(frame.length)) && this.#stream.send(frame)) return;
    // Who does not read is let go; it may come back.
    this.#stream.abort('does not read');
    this.#end();
  }
}

function unitsOf(hostCount: number): number {
  return Math.ceil(hostCount / costs.hostsPerUnit);
}
