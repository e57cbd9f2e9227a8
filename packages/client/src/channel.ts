/**
 * The way to one gateway. Calls made in one turn of the event loop travel in one request; while
 * enough requests are in flight further calls wait for company, never longer than 5 ms. So a lone
 * call leaves at once, and a thousand at once cost a handful of requests. Each answer arrives on its
 * own, as soon as the gateway has it.
 */
import { failureFromBody, failureFromWire, neverLeft, unanswered, unreachable } from './failure.ts';
import { LineSplitter } from './line-splitter.ts';
import type { Outgoing } from './outgoing.ts';
import type { WireAnswer } from './wire.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class Channel {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #headers: Readonly<Record<string, string>>;
  #waiting: Outgoing[] = [];
  #requestsInFlight = 0;
  #flushScheduled = false;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, headers: Readonly<Record<string, string>>, fetch: Fetch) {
    this.url = url;
    this.#headers = headers;
    this.#fetch = fetch;
  }

  send(call: Outgoing): void {
    this.#waiting.push(call);
    if (this.#requestsInFlight < requestsInFlightMax) this.#flushSoon();
    else this.#patience ??= setTimeout(() => this.#flush(), patienceMs);
  }

  /** A stream of server-sent events. The caller ends it by `signal`. */
  async stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    return this.#fetch(`${this.url}${path}`, {
      headers: { ...this.#headers, ...headers, accept: 'text/event-stream' },
      cache: 'no-store',
      signal,
    });
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    endOfTurn(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    let calls: Outgoing[] = [];
    let bytes = 0;
    for (const call of this.#waiting) {
      if (call.settled) continue;
      // A call too large to share a request gets its own.
      if (
        calls.length > 0 &&
        (bytes + call.json.length > batchTextMax || calls.length >= callsMax)
      ) {
        this.#launch(calls);
        calls = [];
        bytes = 0;
      }
      calls.push(call);
      bytes += call.json.length;
    }
    this.#waiting = [];
    if (calls.length > 0) this.#launch(calls);
  }

  #launch(calls: readonly Outgoing[]): void {
    this.#requestsInFlight++;
    void this.#exchange(calls).finally(() => {
      this.#requestsInFlight--;
      if (this.#waiting.length > 0) this.#flushSoon();
    });
  }

  /** Never rejects: whatever happens becomes the result or failure of each call. */
  async #exchange(calls: readonly Outgoing[]): Promise<void> {
    const failRest = (failure: (call: Outgoing) => Error): void => {
      for (const call of calls) if (!call.settled) call.reject(failure(call));
    };
    // A request whose callers have all gone is let go; one that is merely done is not, for that
    // would cost its connection.
    const abandoned = new AbortController();
    for (const call of calls) {
      call.leave(() => {
        if (calls.every((other) => other.settled)) abandoned.abort();
      });
    }
    try {
      const response = await this.#fetch(`${this.url}/v1/calls`, {
        method: 'POST',
        headers: { ...this.#headers, 'content-type': 'application/json' },
        body: `{"calls":[${calls.map((call) => call.json).join(',')}]}`,
        cache: 'no-store',
        signal: abandoned.signal,
      });
      if (response.ok) {
        await readAnswers(response, calls);
        failRest((call) => unanswered(this.url, call.kind, 'it ended early'));
        return;
      }
      const refusal = failureFromBody(await response.text());
      failRest(
        (call) => refusal ?? unanswered(this.url, call.kind, `HTTP status ${response.status}`),
      );
    } catch (error) {
      if (neverLeft(error)) failRest(() => unreachable(this.url, error));
      else failRest((call) => unanswered(this.url, call.kind, 'the connection broke', error));
    }
  }
}

/** Settles calls line by line. Throws when the stream breaks or a line is no answer. */
async function readAnswers(response: Response, calls: readonly Outgoing[]): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const splitter = new LineSplitter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const line of splitter.push(decoder.decode(value, { stream: true }))) {
      const answer = JSON.parse(line) as WireAnswer;
      const call = calls[answer.call];
      if (call === undefined || call.settled) continue;
      if ('error' in answer) call.reject(failureFromWire(answer.error));
      else call.resolve(answer.result);
    }
  }
}

/**
 * Runs `callback` when the present turn of the event loop has made its calls. Node and Bun have a
 * phase for that; elsewhere a few microtasks serve.
 */
function endOfTurn(callback: () => void): void {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown })
    .setImmediate;
  if (immediate !== undefined) {
    immediate(callback);
    return;
  }
  let hops = 8;
  const hop = (): void => {
    if (hops-- === 0) callback();
    else queueMicrotask(hop);
  };
  hop();
}

const requestsInFlightMax = 4;
const patienceMs = 5;
/** Characters of calls that share one request; the gateway takes 2 MiB. */
const batchTextMax = 256 * 1024;
const callsMax = 512;
