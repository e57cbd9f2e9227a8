/**
 * An HTTP server in front of one member, for programs that are no members: JSON calls, watches as
 * server-sent events, metrics. See `@quorate/client` for the JSON. On loopback it serves whoever is
 * on this machine; beyond loopback it wants a token and refuses to start without one.
 */
import { timeoutHeader } from '@quorate/client';
import { onAbort, QuorateError, assert } from '@quorate/contracts';
import { anything } from '@quorate/contracts/kv-calls';
import {
  callback,
  checkValue,
  integer,
  list,
  milliseconds,
  needed,
  object,
  takeOptions,
  text,
} from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { Access, isLoopback } from './access.ts';
import type { Refusal } from './access.ts';
import { answerOf } from './answer.ts';
import type { Answer } from './answer.ts';
import { AnswerRoom } from './answer-room.ts';
import type { ConnectionRoom } from './answer-room.ts';
import { AnswerStream, sendAnswer } from './answer-stream.ts';
import { BodyReader } from './body.ts';
import { exportLines, streamBody } from './body-stream.ts';
import { carryOut, isCallName } from './calls.ts';
import type { CallContext } from './calls.ts';
import { descriptorsMax, shareOf } from './descriptor-share.ts';
import { memberMetrics } from './metrics.ts';
import { badRequest, overloaded, problemOf } from './problem.ts';
import type { Problem } from './problem.ts';
import type { GatewayTarget } from './target.ts';
import { WatchRoom } from './watch-room.ts';
import { streamWatch, watchRequestOf } from './watch-stream.ts';

export type GatewayOptions = {
  /** Address to listen on. Default `127.0.0.1`; anything but loopback needs `tokens`. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Accepted bearer tokens, each of 16 characters or more; several while one is replaced. */
  readonly tokens?: readonly string[];
  /** Further origins and hosts that are served, such as `https://app.example.com`. */
  readonly cors?: readonly string[];
  /** Largest body, default 2 MiB. */
  readonly bodyBytesMax?: number;
  /**
   * Bytes of the bodies of all requests under way, from their announcement until each call in them is
   * done. Further ones wait, and are not read meanwhile; four times as much may wait, what is beyond
   * that is `OVERLOADED`. Default 8 MiB.
   */
  readonly requestBytesMax?: number;
  /** How long a body waits for room before it is `OVERLOADED`, default 5,000. */
  readonly requestWaitMs?: number;
  /**
   * Bytes of all answers that wait to be taken by their readers; further reads are `OVERLOADED`. Default
   * 32 MiB.
   */
  readonly answerBytesMax?: number;
  /** The same of one connection; its further reads wait for it to take them. Default 8 MiB. */
  readonly connectionAnswerBytesMax?: number;
  /** Calls under way, beyond which further ones are `OVERLOADED`; default 4,096. */
  readonly callsInFlightMax?: number;
  /**
   * Open watches, likewise; default 1,024. There are four times as many connections. Fewer of both where
   * the process has few descriptors (`ulimit -n`): 128 are kept for its disk and its links.
   */
  readonly watchesMax?: number;
  /**
   * Bytes of events that watches have not taken yet, those that several are told counted once; beyond it
   * the watch that waits longest is ended, and its client goes on where it was. Default 16 MiB.
   */
  readonly watchBytesMax?: number;
  /** Longest deadline a caller may ask for, default 60,000. */
  readonly timeoutMsMax?: number;
  /** Silence after which a watch sends a sign of life, default 10,000. */
  readonly heartbeatMs?: number;
  /** Told of failures that nobody expected; clients see only that one happened. */
  readonly onUnexpected?: (error: unknown) => void;
};

export interface Gateway {
  /** Where it listens, such as `http://127.0.0.1:7800`. */
  readonly url: string;
  /**
   * Takes no further request, ends the watches (their clients go on elsewhere), and lets calls under
   * way finish for at most `graceMs`, 5,000 unless told. Resolves once all connections are closed.
   * Idempotent.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * Resolves once the gateway listens. Throws `TypeError` for a bind beyond loopback without tokens
 * and other bad options; rejects with `UNREACHABLE` where the address cannot be had.
 */
export async function startGateway(
  target: GatewayTarget,
  given?: GatewayOptions,
): Promise<Gateway> {
  const options = takeOptions(given, kinds, 'start a gateway');
  const host = options.host ?? '127.0.0.1';
  const tokens = options.tokens ?? [];
  if (!isLoopback(host) && tokens.length === 0) {
    throw new TypeError(
      `Cannot listen on ${host} without a token: anyone there could write, wanted a token or 127.0.0.1`,
    );
  }
  const access = new Access({ bindHost: host, cors: options.cors ?? [], tokens });
  const gateway = new HttpGateway(target, access, options);
  await gateway.listen(host, options.port ?? 0);
  return gateway;
}

const kinds: Kinds = {
  host: text,
  port: integer(0, 65_535),
  tokens: list({ ...text, hidden: true }),
  cors: list(text),
  bodyBytesMax: integer(1),
  requestBytesMax: integer(1),
  requestWaitMs: milliseconds,
  answerBytesMax: integer(1),
  connectionAnswerBytesMax: integer(1),
  callsInFlightMax: integer(1),
  watchesMax: integer(1),
  watchBytesMax: integer(1),
  timeoutMsMax: milliseconds,
  heartbeatMs: milliseconds,
  onUnexpected: callback,
};

class HttpGateway implements Gateway {
  readonly #target: GatewayTarget;
  readonly #access: Access;
  readonly #bodies: BodyReader;
  readonly #answers: AnswerRoom;
  readonly #watchRoom: WatchRoom;
  readonly #server: Server;
  readonly #callsInFlightMax: number;
  readonly #watchesMax: number;
  readonly #timeoutMsMax: number;
  readonly #heartbeatMs: number;
  readonly #onUnexpected: (error: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #calls = new Map<string, number>();
  #callsInFlight = 0;
  #watches = 0;
  #copies = 0;
  #url = '';
  #closed: Promise<void> | undefined;

  constructor(target: GatewayTarget, access: Access, options: GatewayOptions) {
    const { bodyBytesMax = 2 * mebibyte, requestBytesMax = 8 * mebibyte } = options;
    const { answerBytesMax = 32 * mebibyte, connectionAnswerBytesMax = 8 * mebibyte } = options;
    this.#target = target;
    this.#access = access;
    this.#bodies = new BodyReader(bodyBytesMax, requestBytesMax, options.requestWaitMs ?? 5_000);
    this.#answers = new AnswerRoom({ answerBytesMax, connectionAnswerBytesMax });
    this.#watchRoom = new WatchRoom(options.watchBytesMax ?? 16 * mebibyte);
    this.#callsInFlightMax = options.callsInFlightMax ?? 4096;
    const share = shareOf(descriptorsMax(), options.watchesMax ?? 1024);
    this.#watchesMax = share.watchesMax;
    this.#timeoutMsMax = options.timeoutMsMax ?? 60_000;
    this.#heartbeatMs = options.heartbeatMs ?? 10_000;
    this.#onUnexpected = options.onUnexpected ?? (() => {});
    this.#server = createServer(
      // Clients keep their connections: longer than they do, so that they never meet a closing one.
      { keepAliveTimeout: 75_000, requestTimeout: 30_000, headersTimeout: 10_000 },
      (request, response) => {
        this.#serve(request, response).catch((error: unknown) => {
          // A failure to say that something failed.
          this.#onUnexpected(error);
          response.destroy();
        });
      },
    );
    // Accepting may fail for as long as it listens, for want of descriptors say (T7).
    this.#server.on('error', () => {});
    this.#server.maxConnections = share.connectionsMax;
  }

  get url(): string {
    return this.#url;
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException): void =>
        reject(
          new QuorateError('UNREACHABLE', `Cannot listen on ${host}:${port} (${cause.code})`, {
            cause,
          }),
        );
      this.#server.once('error', refuse);
      this.#server.listen(port, host.replace(/^\[(.*)\]$/, '$1'), () => {
        this.#server.off('error', refuse);
        resolve();
      });
    });
    const address = this.#server.address();
    assert(typeof address === 'object' && address !== null, 'the gateway listens on a port');
    this.#url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${address.port}`;
  }

  async close(options?: { readonly graceMs?: number }): Promise<void> {
    const { graceMs = 5_000 } = takeOptions(options, { graceMs: integer(0) }, 'close the gateway');
    this.#closed ??= this.#close(graceMs);
    await this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
  }

  /** Never rejects: each request gets one answer, whatever happens. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    // A connection that broke is told by its close; there is nobody to tell more to.
    response.on('error', () => gone.abort());
    response.once('close', () => {
      gone.abort();
      // Connections that were busy when the end began are idle now, one by one.
      if (this.#stopping.signal.aborted) setImmediate(() => this.#server.closeIdleConnections());
    });
    try {
      await this.#route(request, response, gone.signal);
    } catch (error) {
      this.#refuse(response, this.#problemOf(error));
      if (!request.complete) discardRest(request);
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    if (this.#stopping.signal.aborted) response.setHeader('connection', 'close');
    const foreign = this.#access.refuseForeign(request);
    if (foreign !== null) return this.#deny(response, foreign);
    if (request.headers.origin !== undefined) allowOrigin(response, request.headers.origin);
    if (request.method === 'OPTIONS') return preflight(request, response);

    const url = urlOf(request);
    if (url.pathname === '/healthz') return this.#healthz(response);
    if (url.pathname === '/readyz') return this.#readyz(response);
    const denied = this.#access.refuseToken(request);
    if (denied !== null) return this.#deny(response, denied);

    const { method } = request;
    // Of a HEAD Node sends the head alone.
    if (url.pathname === '/metrics' && (method === 'GET' || method === 'HEAD')) {
      return this.#metrics(response);
    }
    if (url.pathname === '/v1/watch' && method === 'GET') {
      return this.#watch(request, url.searchParams, response, gone);
    }
    if ((url.pathname === '/v1/backup' || url.pathname === '/v1/export') && method === 'GET') {
      return this.#copy(url, response, {
        timeoutMs: this.#timeoutOf(headerTimeout(request)),
        gone,
      });
    }
    const name = /^\/v1\/([a-zA-Z]+)$/.exec(url.pathname)?.[1];
    if (name === 'calls' && method === 'POST') {
      return this.#bodies.use(request, gone, (json) => this.#many(json, response, gone));
    }
    if (name !== undefined && isCallName(name)) {
      const isState = name === 'status' || name === 'members';
      const single = async (json: unknown): Promise<void> => {
        const timeoutMs = this.#timeoutOf(headerTimeout(request));
        const room = this.#roomOf(response);
        const answer = await this.#call(name, json, { timeoutMs, gone, room });
        await sendAnswer(response, answer, gone);
      };
      if (method === 'GET' && isState) return single({});
      if (method === 'POST') return this.#bodies.use(request, gone, single);
    }
    const error = badRequest(`Nothing answers ${method} ${url.pathname.slice(0, 100)} here`);
    this.#refuse(response, { ...problemOf(error), status: 404 });
  }

  /** Many calls in one request, begun in order, each answered on its own line once it is done. */
  async #many(json: unknown, response: ServerResponse, gone: AbortSignal): Promise<void> {
    const { calls: wanted } = takeBody<{ readonly calls: readonly unknown[] }>(
      json,
      { calls: needed(list(anything)) },
      'body.',
    );
    if (wanted.length > callsPerRequestMax) {
      throw badRequest(`Cannot take ${wanted.length} calls: wanted at most ${callsPerRequestMax}`);
    }
    const room = this.#roomOf(response);
    const answers = new AnswerStream({
      ...{ response, count: wanted.length, room, gone },
      broken: (error) => {
        // Half of the answers is none.
        if (!gone.aborted) this.#onUnexpected(error);
        response.destroy();
      },
    });
    await Promise.all(
      wanted.map((one, call) =>
        this.#one(one, gone, room).then(
          (answer) => answers.result(call, answer),
          (error: unknown) => answers.error(call, answerOf(this.#problemOf(error).error)),
        ),
      ),
    );
  }

  /** The room for the answers on this connection, given back when they have left or it is gone. */
  #roomOf(response: ServerResponse): ConnectionRoom {
    const room = this.#answers.open();
    if (response.destroyed) room.close();
    else response.once('close', () => room.close());
    return room;
  }

  async #one(json: unknown, gone: AbortSignal, room: ConnectionRoom): Promise<Answer> {
    const given = takeBody<Call>(json, callKinds, 'call.');
    const { name, request = {} } = given;
    const timeoutMs = this.#timeoutOf(given.timeoutMs);
    return this.#call(name, request, { timeoutMs, gone, room });
  }

  async #call(name: string, request: unknown, context: CallContext): Promise<Answer> {
    if (this.#callsInFlight >= this.#callsInFlightMax) {
      throw overloaded('callsInFlightMax', `Already ${this.#callsInFlight} calls under way`);
    }
    this.#callsInFlight++;
    try {
      const answer = await carryOut(this.#target, name, request, context);
      this.#count('OK');
      return answer;
    } finally {
      this.#callsInFlight--;
    }
  }

  async #watch(
    request: IncomingMessage,
    query: URLSearchParams,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const lastEventId = request.headers['last-event-id'];
    const wanted = watchRequestOf(query, Array.isArray(lastEventId) ? undefined : lastEventId);
    if (this.#stopping.signal.aborted) throw new QuorateError('CLOSED', 'This gateway is closing');
    if (this.#watches >= this.#watchesMax) {
      // Whoever holds the answer must not hold the place of another.
      response.setHeader('connection', 'close');
      throw overloaded('watchesMax', `Already ${this.#watches} watches open`);
    }
    this.#watches++;
    const ended = new AbortController();
    const end = (): void => ended.abort();
    gone.addEventListener('abort', end, { once: true });
    const forget = onAbort(this.#stopping.signal, end);
    try {
      await streamWatch(this.#target, wanted, response, {
        ...{ heartbeatMs: this.#heartbeatMs, room: this.#watchRoom, signal: ended.signal },
      });
    } finally {
      this.#watches--;
      forget();
    }
  }

  /** The whole state, or what a prefix selects: each one under way keeps a state alive. */
  async #copy(
    { pathname, searchParams }: URL,
    response: ServerResponse,
    { timeoutMs, gone }: Pick<CallContext, 'timeoutMs' | 'gone'>,
  ): Promise<void> {
    const isBackup = pathname === '/v1/backup';
    for (const name of searchParams.keys()) {
      if (isBackup || name !== 'prefix') {
        throw badRequest(`Cannot answer ${pathname}: ${JSON.stringify(name)} is not known here`);
      }
    }
    if (this.#copies >= copiesMax) {
      throw overloaded('copies', `Already ${this.#copies} backups and exports under way`);
    }
    this.#copies++;
    try {
      const calls = { signal: gone, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
      if (isBackup) {
        const chunks = this.#target.backup(calls);
        await streamBody(response, 'application/octet-stream', chunks, gone);
      } else {
        const prefix = searchParams.get('prefix') ?? '';
        const lines = exportLines(this.#target.export({ ...calls, prefix }));
        await streamBody(response, 'application/x-ndjson', lines, gone);
      }
      this.#count('OK');
    } finally {
      this.#copies--;
    }
  }

  #metrics(response: ServerResponse): void {
    const text = memberMetrics(this.#target.status, {
      calls: this.#calls,
      callsInFlight: this.#callsInFlight,
      watches: this.#watches,
      requestBytes: this.#bodies.room.heldBytes,
      waitingRequestBytes: this.#bodies.room.waitingBytes,
      answerBytes: this.#answers.heldBytes,
      watchBytes: this.#watchRoom.heldBytes,
    });
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(text);
  }

  /** Whether this process is worth keeping: waiting for others is health, too. */
  #healthz(response: ServerResponse): void {
    const { phase } = this.#target.status;
    const final = phase === 'stopped' || phase === 'outdated' || phase === 'server';
    sendJson(response, final ? 503 : 200, { phase });
  }

  /** Whether to send clients here now (T20): not to who would refuse their writes, or is closing. */
  #readyz(response: ServerResponse): void {
    const { phase, canWrite, reason } = this.#target.status;
    const isReady = canWrite && !this.#stopping.signal.aborted;
    sendJson(response, isReady ? 200 : 503, { phase, canWrite, reason });
  }

  #timeoutOf(wanted: number | undefined): number | undefined {
    if (wanted === undefined) return undefined;
    // `wanted` came in JSON: whatever it is.
    if (typeof wanted !== 'number' || !Number.isFinite(wanted) || wanted <= 0) {
      throw badRequest(`Cannot wait ${wanted} ms: wanted a number above 0`);
    }
    return Math.min(wanted, this.#timeoutMsMax);
  }

  #problemOf(error: unknown): Problem {
    const problem = problemOf(error);
    if (problem.error.code === 'INTERNAL') this.#onUnexpected(error);
    this.#count(problem.error.code);
    return problem;
  }

  #deny(response: ServerResponse, refusal: Refusal): void {
    const problem = problemOf(new QuorateError(refusal.code, refusal.message));
    if (refusal.status === 401) response.setHeader('www-authenticate', 'Bearer');
    this.#count(refusal.code);
    this.#refuse(response, { ...problem, status: refusal.status });
  }

  #refuse(response: ServerResponse, problem: Problem): void {
    if (response.headersSent) {
      // Half an answer is none: the client must not take it for a whole one.
      response.destroy();
      return;
    }
    if (problem.error.code === 'OVERLOADED') response.setHeader('retry-after', '1');
    sendJson(response, problem.status, { error: problem.error });
  }

  #count(code: string): void {
    this.#calls.set(code, (this.#calls.get(code) ?? 0) + 1);
  }
}

type Call = {
  readonly name: string;
  readonly request?: unknown;
  readonly timeoutMs?: number;
};

/** A deadline is bounded where it is used. */
const callKinds: Kinds = { name: needed(text), request: anything, timeoutMs: anything };

function takeBody<T extends object>(json: unknown, kinds: Kinds, path: string): T {
  checkValue(json, object, 'read the request', path.slice(0, -1));
  return takeOptions(json as T, kinds, 'read the request', path) as T;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'http://gateway');
  } catch {
    throw badRequest('Cannot read the target of the request, wanted a path');
  }
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('vary', 'Origin');
}

function preflight(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers['access-control-request-private-network'] !== undefined) {
    response.setHeader('access-control-allow-private-network', 'true');
  }
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': `authorization, content-type, last-event-id, ${timeoutHeader}`,
    'access-control-max-age': '600',
  });
  response.end();
}

/**
 * The rest of a refused body is thrown away as it comes, for a while: a connection closed in the
 * face of a sender would take the refusal with it.
 */
function discardRest(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), discardMsMax);
  request.once('close', () => clearTimeout(timer));
}

function headerTimeout(request: IncomingMessage): number | undefined {
  const text = request.headers[timeoutHeader];
  return text === undefined ? undefined : Number(text);
}

const mebibyte = 1024 * 1024;
const callsPerRequestMax = 1024;
/** Backups and exports at a time. */
const copiesMax = 4;
const discardMsMax = 1_000;
