/**
 * One watch as server-sent events. Each batch is one event whose id is its revision, with the cluster
 * that it is a revision of (Z50); `open` and
 * `progress` say up to which revision everything was delivered, so that a client that returns with
 * `Last-Event-ID` misses nothing and sees nothing twice. `failure` is the last event of a watch that
 * cannot go on. Nothing is pulled from the history before the connection took what came before.
 */
import { QuorateError } from '@quorate/contracts';
import { nearest } from '@quorate/contracts/options';
import type { KeySelector } from '@quorate/kv';
import type { ServerResponse } from 'node:http';
import { send } from './body-stream.ts';
import { badRequest, problemOf } from './problem.ts';
import type { GatewayTarget } from './target.ts';
import { initialEvent } from './watch-room.ts';
import type { WatchRoom } from './watch-room.ts';

export type WatchRequest = {
  readonly selector: KeySelector;
  /** Revision from which to deliver; null: begin with the present state. */
  readonly from: number | 'next' | null;
  /** The cluster that `from` is a place in; null where nobody said. */
  readonly cluster: string | null;
  readonly previous: boolean;
};

/** Reads the query of `GET /v1/watch` and the header `Last-Event-ID`. Throws `BAD_REQUEST`. */
export function watchRequestOf(
  query: URLSearchParams,
  lastEventId: string | undefined,
): WatchRequest {
  for (const name of query.keys()) {
    if (query.getAll(name).length > 1) {
      throw badRequest(`Cannot watch: ${JSON.stringify(name)} is there twice, wanted once`);
    }
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `wanted ${known.join(', ')}` : `did you mean ${near}?`;
    throw badRequest(`Cannot watch: there is no option ${name.slice(0, 100)}, ${hint}`);
  }
  const initial = flag(query, 'initial');
  const from = query.get('from');
  if (initial && from !== null) throw badRequest('Cannot watch: wanted initial or from, not both');
  const last = lastEventId === undefined || lastEventId === '' ? null : cursorOf(lastEventId);
  return {
    selector: selectorOf(query),
    from:
      last !== null
        ? last.revision + 1
        : initial
          ? null
          : from === null
            ? 'next'
            : revisionOf(from, 'from'),
    cluster: last?.cluster ?? null,
    previous: flag(query, 'previous'),
  };
}

export type WatchStreamOptions = {
  /** So many milliseconds apart something is sent, so that both ends notice a dead connection. */
  readonly heartbeatMs: number;
  readonly room: WatchRoom;
  /** The client has gone, or the gateway stops. */
  readonly signal: AbortSignal;
};

/**
 * Streams until `signal` is aborted (the client has gone, or the gateway stops) or the watch fails.
 * Rejects before anything was sent, and the failure is then the answer; and with what ended a watch whose
 * connection takes nothing, which is then broken.
 */
export async function streamWatch(
  target: GatewayTarget,
  request: WatchRequest,
  response: ServerResponse,
  { heartbeatMs, room, signal }: WatchStreamOptions,
): Promise<void> {
  await caughtUp(target, request, signal);
  const { clusterId } = target.status;
  if (request.cluster !== null && clusterId !== null && request.cluster !== clusterId) {
    throw new QuorateError(
      'COMPACTED',
      'Cannot go on with the watch: it was one of another cluster',
      {
        details: { oldestRevision: target.kv.revision + 1 },
      },
    );
  }
  const idOf = (revision: number): string =>
    clusterId === null ? String(revision) : `${revision}-${clusterId}`;
  // Taken in one turn with the beginning of the watch: nothing is applied in between.
  const from = request.from === 'next' ? target.kv.revision + 1 : request.from;
  const batches = target.kv.watch({
    ...request.selector,
    ...(from === null ? { initial: true } : { from }),
    ...(request.previous ? { previous: true } : {}),
    signal,
  });
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  let delivered = -1;
  const position = (type: 'open' | 'progress', revision: number): void => {
    delivered = revision;
    response.write(`event: ${type}\nid: ${idOf(revision)}\ndata: {"revision":${revision}}\n\n`);
  };
  if (from === null) response.write(': open\n\n');
  else position('open', from - 1);

  let waiting = false;
  let revisionBefore = -1;
  const heartbeat = setInterval(() => {
    // Nothing comes between the parts of an event.
    if (!waiting || response.writableNeedDrain) return;
    // What was applied a heartbeat ago has long reached a watch that is waiting for more.
    if (delivered !== -1 && revisionBefore > delivered) {
      position('progress', revisionBefore);
    } else response.write(': still here\n\n');
    revisionBefore = target.kv.revision;
  }, heartbeatMs);
  try {
    for (;;) {
      waiting = true;
      const next = await batches.next();
      waiting = false;
      if (next.done === true) return;
      const batch = next.value;
      const id = idOf(batch.revision);
      if (batch.initial) {
        for (const part of initialEvent(batch, `id: ${id}\n`)) await send(response, part, signal);
      } else await room.send(response, room.eventOf(batch, id), signal);
      delivered = batch.revision;
    }
  } catch (error) {
    if (signal.aborted) return;
    if (response.writableNeedDrain) {
      // It takes nothing, no failure either: its client goes on where it was (`Last-Event-ID`).
      response.destroy();
      throw error;
    }
    response.write(
      `event: failure\ndata: ${JSON.stringify({ error: problemOf(error).error })}\n\n`,
    );
  } finally {
    clearInterval(heartbeat);
    response.end();
    await batches.return?.();
  }
}

/**
 * A watch of what comes next, on a member that has not yet caught up, would begin with what was
 * there long ago: it waits for a linearizable read. A member that merely lost its quorum is not
 * behind its own past.
 */
async function caughtUp(
  target: GatewayTarget,
  request: WatchRequest,
  signal: AbortSignal,
): Promise<void> {
  const { phase, clusterId } = target.status;
  const isElsewhere = request.cluster !== null && clusterId === null;
  if (!isElsewhere && (request.from !== 'next' || phase === 'ready' || phase === 'read-only')) {
    return;
  }
  await target.kv.range({ prefix: '', limit: 1, keysOnly: true, signal });
}

function selectorOf(query: URLSearchParams): KeySelector {
  const key = query.get('key');
  const prefix = query.get('prefix');
  const start = query.get('start');
  const end = query.get('end');
  const ways = [key, prefix, start].filter((way) => way !== null).length;
  if (ways !== 1) throw badRequest('Cannot watch: wanted one of key, prefix, start');
  if (end !== null && start === null) throw badRequest('Cannot watch: end needs start');
  if (key !== null) return { key };
  if (prefix !== null) return { prefix };
  return end === null ? { start: start ?? '' } : { start: start ?? '', end };
}

function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === 'false' || text === '0') return false;
  if (text === '' || text === 'true' || text === '1') return true;
  throw badRequest(`Cannot watch: wanted ${name} to be true or false`);
}

/** What this gateway, or another one, gave as an event's id. */
function cursorOf(text: string): { readonly revision: number; readonly cluster: string | null } {
  const [, revision = text, cluster = null] = /^(\d{1,16})-([0-9a-f]{32})$/.exec(text) ?? [];
  return { revision: revisionOf(revision, 'Last-Event-ID'), cluster };
}

function revisionOf(text: string, name: string): number {
  const revision = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(revision)) {
    throw badRequest(`Cannot watch: wanted ${name} to be a revision`);
  }
  return revision;
}

const known: readonly string[] = ['key', 'prefix', 'start', 'end', 'from', 'initial', 'previous'];
