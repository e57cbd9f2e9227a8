/**
 * Requests and answers over the `rpc` channel of one link: ids, deadlines, cancellation, typed
 * errors. What is asked is the business of those who register handlers.
 */
import type { NodeId } from '@quorate/core';
import {
  asText,
  ByteReader,
  ByteWriter,
  decodeCborMap,
  encodeCbor,
  isErrorCode,
  isQuorateError,
  onAbort,
  QuorateError,
} from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';

export type RpcRequest = {
  /** The replica that is asked; null: whichever the host runs. */
  readonly to: NodeId | null;
  readonly method: string;
  readonly body: Uint8Array;
};

/** Answers one request. A thrown `QuorateError` travels back as it is. */
export type RpcHandler = (request: RpcRequest, signal: AbortSignal) => Promise<Uint8Array>;

export type RequestOptions = { readonly timeoutMs: number; readonly signal?: AbortSignal };

type Pending = {
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: QuorateError) => void;
  readonly cleanUp: () => void;
};

export class RpcPeer {
  readonly #clock: Clock;
  readonly #send: (frame: Uint8Array) => boolean;
  readonly #handler: RpcHandler;
  readonly #pending = new Map<number, Pending>();
  readonly #serving = new Map<number, AbortController>();
  #nextId = 1;
  #closed: QuorateError | null = null;

  constructor(clock: Clock, send: (frame: Uint8Array) => boolean, handler: RpcHandler) {
    this.#clock = clock;
    this.#send = send;
    this.#handler = handler;
  }

  /**
   * Asks, and resolves with the answer. Errors: what the other side threw; `UNREACHABLE` when the
   * link was down or full (`outcome: 'not-applied'`) or broke meanwhile (`outcome: 'unknown'`);
   * `TIMEOUT` and `ABORTED` with outcome `unknown`.
   */
  request(request: RpcRequest, options: RequestOptions): Promise<Uint8Array> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (options.signal?.aborted === true) {
      return Promise.reject(new QuorateError('ABORTED', `Stopped asking ${request.method}`));
    }
    const id = this.#nextId++;
    const frame = new ByteWriter(request.body.length + 64)
      .u8(kinds.request)
      .varint(id)
      .varint(Math.max(1, Math.ceil(options.timeoutMs)))
      .block(request.to === null ? noBytes : new ByteWriter(16).hex(request.to).finish())
      .block(textEncoder.encode(request.method))
      .raw(request.body)
      .finish();
    return new Promise<Uint8Array>((resolve, reject) => {
      const fail = (code: 'TIMEOUT' | 'ABORTED', message: string): void => {
        if (!this.#settle(id)) return;
        this.#send(new ByteWriter(10).u8(kinds.cancel).varint(id).finish());
        reject(new QuorateError(code, message, { outcome: 'unknown' }));
      };
      const cancelTimer = this.#clock.setTimeout(() => {
        fail('TIMEOUT', `No answer to ${request.method} within ${options.timeoutMs} ms`);
      }, options.timeoutMs);
      const forget = onAbort(options.signal, () =>
        fail('ABORTED', `Stopped asking ${request.method}`),
      );
      this.#pending.set(id, {
        resolve,
        reject,
        cleanUp: () => {
          cancelTimer();
          forget();
        },
      });
      if (!this.#send(frame)) {
        this.#settle(id);
        reject(new QuorateError('UNREACHABLE', `Cannot send ${request.method}: the link is full`));
      }
    });
  }

  /** Takes one rpc frame. Throws `BAD_REQUEST` when it is malformed. */
  receive(frame: Uint8Array): void {
    const reader = new ByteReader(frame);
    const kind = reader.u8();
    const id = reader.varint();
    switch (kind) {
      case kinds.request:
        this.#serve(id, reader);
        return;
      case kinds.answer:
        this.#settle(id)?.resolve(reader.rest());
        return;
      case kinds.failure: {
        // Read first: one that cannot be read must not leave its request waiting for ever.
        const error = decodeError(reader.rest());
        this.#settle(id)?.reject(error);
        return;
      }
      case kinds.cancel:
        this.#serving.get(id)?.abort();
        return;
      default:
        throw new QuorateError('BAD_REQUEST', `Cannot read rpc kind ${kind}`);
    }
  }

  close(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = new QuorateError('UNREACHABLE', `Cannot ask: ${reason}`);
    const broken = new QuorateError('UNREACHABLE', `No answer: ${reason}`, { outcome: 'unknown' });
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(broken);
    for (const controller of this.#serving.values()) controller.abort();
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.cleanUp();
    return pending;
  }

  #serve(id: number, reader: ByteReader): void {
    const timeoutMs = Math.min(reader.varint(), requestTimeoutMsMax);
    const toBytes = reader.block();
    const to = toBytes.length === 0 ? null : new ByteReader(toBytes).hex(16);
    const method = textDecoder.decode(reader.block());
    const body = reader.rest();
    if (this.#serving.has(id)) throw new QuorateError('BAD_REQUEST', `Request ${id} came twice`);
    if (this.#serving.size >= servingCountMax) {
      this.#answerError(id, new QuorateError('OVERLOADED', 'Too many requests at once'));
      return;
    }
    const controller = new AbortController();
    const cancelTimer = this.#clock.setTimeout(() => controller.abort(), timeoutMs);
    this.#serving.set(id, controller);
    const finish = (): void => {
      cancelTimer();
      this.#serving.delete(id);
    };
    this.#handler({ to, method, body }, controller.signal).then(
      (answer) => {
        finish();
        this.#send(
          new ByteWriter(answer.length + 10).u8(kinds.answer).varint(id).raw(answer).finish(),
        );
      },
      (error: unknown) => {
        finish();
        this.#answerError(id, error);
      },
    );
  }

  #answerError(id: number, error: unknown): void {
    const body = isQuorateError(error)
      ? { code: error.code, message: error.message, outcome: error.outcome }
      : { code: 'BAD_REQUEST', message: 'Cannot answer', outcome: 'unknown' };
    this.#send(new ByteWriter(64).u8(kinds.failure).varint(id).raw(encodeCbor(body)).finish());
  }
}

function decodeError(bytes: Uint8Array): QuorateError {
  const map = decodeCborMap(bytes);
  const code = asText(map['code'], 'code', 64);
  const message = asText(map['message'], 'message', 4096);
  return new QuorateError(isErrorCode(code) ? code : 'BAD_REQUEST', message, {
    outcome: map['outcome'] === 'not-applied' ? 'not-applied' : 'unknown',
  });
}

const kinds = { request: 1, answer: 2, failure: 3, cancel: 4 } as const;
const requestTimeoutMsMax = 120_000;
const servingCountMax = 1_024;
const noBytes = new Uint8Array(0);
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();
