/**
 * A watch through gateways: one stream at a time, resumed at the revision where the last one broke,
 * at the same gateway or at another. The gateway says up to which revision everything was delivered
 * (with each batch, at the opening, and every few seconds in between), so that resuming neither
 * repeats nor omits anything, and quiet keys do not fall behind the history.
 */
import type { Channel } from './channel.ts';
import { QuorateError } from './errors.ts';
import {
  ended,
  failureFromBody,
  failureFromWire,
  isOtherGatewaysTurn,
  unreachable,
} from './failure.ts';
import { SseParser } from './sse.ts';
import type { ServerSentEvent } from './sse.ts';
import type { WatchBatch, WatchOptions } from './types.ts';
import { batchFromWire } from './wire.ts';
import type { WireBatch, WireError } from './wire.ts';

/** Begins at the first `next()`. `closed` ends it with `CLOSED`. */
export function watch<T>(
  channels: readonly Channel[],
  options: WatchOptions,
  closed: AbortSignal,
): AsyncIterableIterator<WatchBatch<T>> {
  const returned = new AbortController();
  const batches = follow<T>(channels, options, closed, returned.signal);
  return {
    next: () => batches.next(),
    // A generator would queue this behind a pending next(), which may never come.
    return: async () => {
      returned.abort();
      return batches.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* follow<T>(
  channels: readonly Channel[],
  options: WatchOptions,
  closed: AbortSignal,
  returned: AbortSignal,
): AsyncGenerator<WatchBatch<T>, undefined, undefined> {
  const stop = AbortSignal.any(
    options.signal === undefined ? [closed, returned] : [closed, returned, options.signal],
  );
  const ending = (): QuorateError =>
    closed.aborted
      ? ended('CLOSED', 'This client is closed')
      : ended('ABORTED', 'The watch was aborted by its signal', options.signal?.reason);
  /** Everything up to here was delivered; null: not begun. */
  let position: number | null = options.from === undefined ? null : options.from - 1;
  /** The same as the gateway said it, with the cluster that it is a place in. */
  let cursor: string | null = position === null ? null : String(position);
  let opened = false;
  let failures = 0;
  for (let at = 0; ; at = (at + 1) % channels.length) {
    const channel = channels[at];
    if (channel === undefined) throw new RangeError('Cannot watch: no gateway given');
    try {
      for await (const event of events(channel, query(options), cursor, stop)) {
        opened = true;
        failures = 0;
        if (event.type === 'failure') throw failureFromEvent(event);
        const revision = Number.parseInt(event.id, 10);
        if (event.type === 'message') {
          const batch = batchFromWire<T>(JSON.parse(event.data) as WireBatch);
          // Invariant: revisions rise. A gateway that repeats one is not believed.
          if (position !== null && batch.revision <= position && !batch.initial) continue;
          position = batch.revision;
          cursor = event.id;
          yield batch;
        } else if (position === null ? !options.initial : revision > position) {
          // Where the present state was asked for, nothing counts before it has come.
          position = revision;
          cursor = event.id;
        }
      }
    } catch (error) {
      if (returned.aborted) return undefined;
      if (stop.aborted) throw ending();
      if (error instanceof QuorateError && !isOtherGatewaysTurn(error)) throw error;
      failures++;
      // A watch that never began tells the caller; one that did is resumed for ever.
      if (!opened && failures >= channels.length) {
        throw error instanceof QuorateError ? error : unreachable(channel.url, error);
      }
    }
    if (!(await pause(backoffMs(failures), stop))) {
      if (returned.aborted) return undefined;
      throw ending();
    }
  }
}

/** The events of one stream. Throws what the gateway refuses, and whatever breaks the connection. */
async function* events(
  channel: Channel,
  path: string,
  cursor: string | null,
  stop: AbortSignal,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), silenceMsMax);
  const resume: Record<string, string> = cursor === null ? {} : { 'last-event-id': cursor };
  try {
    const signal = AbortSignal.any([stop, silent.signal]);
    const response = await channel.stream(path, resume, signal);
    if (!response.ok || response.body === null) {
      throw (
        failureFromBody(await response.text()) ??
        unreachable(channel.url, new Error(`HTTP status ${response.status}`))
      );
    }
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), silenceMsMax);
        yield* parser.push(decoder.decode(value, { stream: true }));
      }
    } finally {
      // Also when the reader of the watch stops early: the gateway then ends its side.
      await reader.cancel().catch(() => {});
    }
  } finally {
    clearTimeout(timer);
  }
}

function query(options: WatchOptions): string {
  const query = new URLSearchParams();
  if (options.key !== undefined) query.set('key', options.key);
  if (options.prefix !== undefined) query.set('prefix', options.prefix);
  if (options.start !== undefined) query.set('start', options.start);
  if (options.end !== undefined) query.set('end', options.end);
  if (options.from !== undefined) query.set('from', String(options.from));
  if (options.initial === true) query.set('initial', 'true');
  if (options.previous === true) query.set('previous', 'true');
  return `/v1/watch?${query.toString()}`;
}

function failureFromEvent(event: ServerSentEvent): QuorateError {
  return failureFromWire((JSON.parse(event.data) as { readonly error: WireError }).error);
}

/** Resolves with false when the signal ended the wait. */
async function pause(delayMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Doubles from 50 ms to 5 s, with a jitter of one half, so that watchers do not return in step. */
function backoffMs(failures: number): number {
  const full = Math.min(backoffMsMax, 50 * 2 ** Math.min(failures, 10));
  return full / 2 + (Math.random() * full) / 2;
}

const backoffMsMax = 5_000;
/** Gateways send something every ten seconds; three missed are a dead connection. */
const silenceMsMax = 30_000;
