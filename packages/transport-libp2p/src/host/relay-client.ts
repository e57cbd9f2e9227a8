/**
 * A host's tie to one relay, for ever: dial, greet, reserve a place, answer watchers' calls; and
 * again, after a jittered pause, whenever the relay goes away.
 */
import type { Connection } from '@libp2p/interface';
import { onAbort, QuorateError } from '@quorate/contracts';
import type { Clock, RandomBytes } from '@quorate/contracts';
import { MessageError } from '../wire/fields.ts';
import {
  answerBytesMax,
  decodeRelayMessage,
  encodeMessage,
  relayProtocol,
} from '../wire/relay-messages.ts';
import type { Answer, Greeting, RelayMessage, Request, Told } from '../wire/relay-messages.ts';
import type { RelayAddress } from './addresses.ts';
import { Libp2pStream } from './connection-wire.ts';
import { closeQuietly } from './connections.ts';
import { FramedStream } from './framed-stream.ts';
import type { RelayMemory } from './relay-memory.ts';
import { standingOf } from './relay-proof.ts';
import type { Standing } from './relay-proof.ts';
import type { ByteStream } from './wire.ts';

export type RelayClientOptions = {
  readonly relay: RelayAddress;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly memory: RelayMemory;
  dial(signal: AbortSignal): Promise<Connection>;
  /** Makes a reservation over the connection if one is wanted and missing. */
  reserve(connection: Connection): Promise<void>;
};

export type RequestBody = Request extends infer Each
  ? Each extends Request
    ? Omit<Each, 'id'>
    : never
  : never;

type Session = {
  readonly connection: Connection;
  readonly stream: FramedStream;
  standing: Standing;
};

type Call = { settle(answer: Answer | null): void };

/** From the beginning of one attempt to that of the next: shorter than a new register waits (Z58). */
const retryMsMax = 5_000;
const dialTimeoutMs = retryMsMax - 500;
const callTimeoutMs = 8_000;
const pingIntervalMs = 3_000;
const retryMsMin = 200;
const queueBytesMax = 1024 * 1024;
const callsMax = 1_024;

export class RelayClient {
  readonly #options: RelayClientOptions;
  readonly #calls = new Map<number, Call>();
  readonly #sessionWaiters = new Set<(session: Session | null) => void>();
  readonly #onSession = new Set<() => void>();
  readonly #onTold = new Set<(told: Told) => void>();
  readonly #closing = new AbortController();
  #session: Session | null = null;
  /** Why there is no session, and since when; null while there is one, and before the first try. */
  #trouble: { readonly why: string; readonly since: string } | null = null;
  #nextId = 1;
  #retryMs = retryMsMin;

  constructor(options: RelayClientOptions) {
    this.#options = options;
    void this.#run();
  }

  get relay(): RelayAddress {
    return this.#options.relay;
  }

  /** Whether there is a session now. */
  get isTied(): boolean {
    return this.#session !== null;
  }

  /** Of which group it is, while there is a session. */
  get present(): Standing | null {
    return this.#session?.standing ?? null;
  }

  /** The newest certificate seen of the group that it says it is of: it may be behind itself. */
  get receipt(): Uint8Array | null {
    const group = this.present?.group ?? null;
    return group === null ? null : this.#options.memory.receiptOf(group);
  }

  /** Whether this host is the relay's peer: such connections are kept. */
  isPeer(host: string): boolean {
    return this.#session?.connection.remotePeer.toString() === host;
  }

  /** Calls back at each new session with the relay, and at once if there is one. */
  onSession(listener: () => void): () => void {
    this.#onSession.add(listener);
    if (this.#session !== null) listener();
    return () => this.#onSession.delete(listener);
  }

  onTold(listener: (told: Told) => void): () => void {
    this.#onTold.add(listener);
    return () => this.#onTold.delete(listener);
  }

  /** Waits for a session and returns of which group the relay is. Rejects with `UNREACHABLE`. */
  async standing(signal: AbortSignal): Promise<Standing> {
    return (await this.#ready(signal)).standing;
  }

  /**
   * Asks the relay. Rejects with `UNREACHABLE` when no answer came (the request may have been
   * carried out), or with the relay's own error.
   */
  async call(body: RequestBody, signal: AbortSignal): Promise<Answer> {
    const session = await this.#ready(signal);
    const id = this.#nextId;
    this.#nextId += 1;
    const request: Request = { ...body, id };
    if (this.#calls.size >= callsMax || !session.stream.send(encodeMessage(request))) {
      throw new QuorateError('OVERLOADED', `Cannot ask relay ${this.relay.text}: too many calls`);
    }
    const answer = await new Promise<Answer | null>((resolve) => {
      const settle = (result: Answer | null): void => {
        this.#calls.delete(id);
        cancel();
        forget();
        resolve(result);
      };
      const giveUp = (): void => settle(null);
      const cancel = this.#options.clock.setTimeout(giveUp, callTimeoutMs);
      const forget = onAbort(signal, giveUp);
      this.#calls.set(id, { settle });
    });
    if (answer === null) throw this.#unreachable('no answer');
    if (answer.type === 'error') throw refusal(answer);
    if ((answer.type === 'value' || answer.type === 'set') && answer.certificate !== null) {
      const { certificate } = answer;
      const { group } = session.standing;
      this.#improve(session, await this.#standingOf({ group, certificate }, session.connection));
    }
    return answer;
  }

  /** Ends the tie. Outstanding calls reject with `UNREACHABLE`. */
  async close(): Promise<void> {
    this.#closing.abort();
    const session = this.#session;
    this.#lose(session);
    for (const waiter of [...this.#sessionWaiters]) waiter(null);
    session?.stream.close(500);
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      let beganMs = this.#options.clock.now();
      const session = await this.#establish();
      if (session !== null) {
        this.#retryMs = retryMsMin;
        await this.#serve(session);
        beganMs = this.#options.clock.now();
      }
      if (this.#closing.signal.aborted) return;
      const byte = this.#options.random(1)[0] ?? 0;
      const spentMs = this.#options.clock.now() - beganMs;
      const pauseMs = this.#retryMs * (0.5 + byte / 512);
      await this.#pause(Math.max(retryMsMin, Math.min(pauseMs, retryMsMax - spentMs)));
      this.#retryMs = Math.min(2 * this.#retryMs, retryMsMax);
    }
  }

  /** One try to reach the relay. Null when it failed; whoever waited is told. */
  async #establish(): Promise<Session | null> {
    let connection: Connection | null = null;
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(dialTimeoutMs)]);
      connection = await this.#options.dial(signal);
      const stream = await connection.newStream(relayProtocol, { signal });
      const session = await this.#greet(connection, new Libp2pStream(stream), signal);
      if (this.#closing.signal.aborted) {
        session.stream.abort('closed');
        return null;
      }
      this.#session = session;
      this.#trouble = null;
      for (const waiter of [...this.#sessionWaiters]) waiter(session);
      for (const listener of [...this.#onSession]) listener();
      return session;
    } catch (error) {
      // Whatever it was: a relay that does not answer is tried again.
      this.#lacking(whyOf(error));
      if (connection !== null) void closeQuietly(connection);
      for (const waiter of [...this.#sessionWaiters]) waiter(null);
      return null;
    }
  }

  async #greet(connection: Connection, stream: ByteStream, signal: AbortSignal): Promise<Session> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        framed.abort(reason);
        reject(new Error(reason));
      };
      const onAbort = (): void => fail('no greeting');
      signal.addEventListener('abort', onAbort);
      let session: Session | null = null;
      let isGreeted = false;
      const standing = async (greeting: Greeting): Promise<Standing> =>
        this.#standingOf(greeting, connection);
      const framed = new FramedStream({
        stream,
        prefixBytes: 0,
        frameBytesMax: answerBytesMax,
        queueBytesMax,
        events: {
          prefix: () => {},
          control: () => {},
          drained: () => {},
          ended: (reason) => {
            if (session === null) fail(reason);
            else this.#lose(session);
          },
          frame: (frame) => {
            const message = readMessage(frame);
            if (message?.type === 'greeting' && session !== null) {
              const present = session;
              void standing(message).then((now) => this.#improve(present, now));
            } else if (session !== null && message !== null) this.#heard(message);
            else if (!isGreeted && message?.type === 'greeting') {
              isGreeted = true;
              void standing(message).then((now) => {
                signal.removeEventListener('abort', onAbort);
                session = { connection, stream: framed, standing: now };
                resolve(session);
              });
            } else {
              framed.abort('unreadable');
              if (session === null) fail('unreadable');
              else this.#lose(session);
            }
          },
        },
      });
    });
  }

  /** A relay is not put back while it talks: an older certificate was only overtaken on its way. */
  #improve(session: Session, now: Standing): void {
    if (now.unproven === null) session.standing = now;
  }

  async #standingOf(
    greeting: Pick<Greeting, 'group' | 'certificate'>,
    { remotePeer }: Connection,
  ): Promise<Standing> {
    const { memory } = this.#options;
    const from = { peer: remotePeer.toString(), address: this.relay.text, memory };
    return standingOf(greeting, from, Date.now());
  }

  #heard(message: RelayMessage): void {
    if (message.type === 'announced') {
      for (const listener of [...this.#onTold]) listener(message);
    } else if (message.type !== 'greeting') {
      this.#calls.get(message.id)?.settle(message);
    }
  }

  /** Stays with a session while the relay answers, and keeps the reservation. */
  async #serve(session: Session): Promise<void> {
    while (this.#session === session) {
      // A reservation that fails is tried again with the next ping.
      this.#options.reserve(session.connection).catch(() => {});
      await this.#pause(pingIntervalMs);
      if (this.#session !== session) break;
      try {
        await this.call({ type: 'ping' }, this.#closing.signal);
      } catch {
        if (this.#session !== session) break;
        session.stream.abort('no answer');
        this.#lose(session);
        void closeQuietly(session.connection);
      }
    }
  }

  #lose(session: Session | null): void {
    if (session === null || this.#session !== session) return;
    this.#session = null;
    this.#lacking('the connection broke');
    for (const call of [...this.#calls.values()]) call.settle(null);
    this.#wake();
  }

  #wake: () => void = () => {};

  /** Waits, or until the session or the client ends. */
  async #pause(delayMs: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#closing.signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#options.clock.setTimeout(wake, delayMs);
      this.#wake = wake;
      this.#closing.signal.addEventListener('abort', wake);
    });
    this.#wake = () => {};
  }

  /** The present session, or what the attempt under way brings. */
  async #ready(signal: AbortSignal): Promise<Session> {
    if (this.#closing.signal.aborted) throw this.#unreachable('closed');
    if (signal.aborted) throw this.#unreachable('aborted');
    if (this.#session !== null) return this.#session;
    const session = await new Promise<Session | null>((resolve) => {
      const settle = (result: Session | null): void => {
        this.#sessionWaiters.delete(settle);
        forget();
        resolve(result);
      };
      this.#sessionWaiters.add(settle);
      const forget = onAbort(signal, () => settle(null));
    });
    if (session === null || this.#session !== session) {
      const { why, since } = this.#trouble ?? { why: 'not connected yet', since: null };
      throw this.#unreachable(since === null ? why : `${why}, since ${since}`);
    }
    return session;
  }

  /** The first failure says since when; the newest one why. The clock on the wall is for people. */
  #lacking(why: string): void {
    const since = this.#trouble?.since ?? `${new Date().toISOString().slice(0, 19)}Z`;
    this.#trouble = { why, since };
  }

  #unreachable(why: string): QuorateError {
    return new QuorateError('UNREACHABLE', `Cannot ask relay ${this.relay.text}: ${why}`);
  }
}

/** What a person can do something about: the system's own code, wherever a library has put it. */
function whyOf(error: unknown): string {
  let cause: unknown = error;
  for (let depth = 0; depth < 6 && typeof cause === 'object' && cause !== null; depth += 1) {
    const { code, name, errors } = cause as { code?: unknown; name?: unknown; errors?: unknown };
    const known = typeof code === 'string' ? systemReasons[code] : undefined;
    if (known !== undefined) return known;
    if (name === 'TimeoutError' || name === 'AbortError') return 'no answer';
    const [first] = Array.isArray(errors) ? (errors as unknown[]) : [];
    // A WebSocket's failure is an event, which has the error.
    const { cause: deeper, error: told } = cause as { cause?: unknown; error?: unknown };
    cause = first ?? deeper ?? told;
  }
  const { message } = (error ?? {}) as { readonly message?: unknown };
  const text = typeof message === 'string' ? message : 'no connection';
  const code = /\b(E[A-Z]{4,})\b/.exec(text)?.[1] ?? '';
  return systemReasons[code] ?? (text.split('\n')[0] || 'no connection').slice(0, 120);
}

const systemReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection broke',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'no way to its network',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  ETIMEDOUT: 'no answer',
};

/** A relay whose own disk fails is no register that can be reached, whatever its reason. */
function refusal(answer: Extract<Answer, { type: 'error' }>): QuorateError {
  const code = answer.code.startsWith('STORAGE_') ? 'UNREACHABLE' : answer.code;
  return new QuorateError(code, answer.message);
}

function readMessage(frame: Uint8Array): RelayMessage | null {
  try {
    return decodeRelayMessage(frame);
  } catch (error) {
    if (error instanceof MessageError) return null;
    throw error;
  }
}
