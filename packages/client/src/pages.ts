/**
 * A range page by page, for a gateway answers with what fits: all pages are of the first one's revision,
 * so that the caller gets one state. Where the gateway's history ends before the last page has come (many
 * large writes meanwhile) it begins anew.
 */
import { QuorateError } from './errors.ts';
import type { JsonValue } from './json-value.ts';
import type { WireEntry, WireRange } from './wire.ts';

export type RangeRequest = Readonly<Record<string, JsonValue | undefined>>;

/** Rejects with what `ask` rejects with. */
export async function readPages(
  request: RangeRequest,
  ask: (request: RangeRequest) => Promise<WireRange>,
): Promise<WireRange> {
  for (let attempt = 1; ; attempt++) {
    const first = await ask(request);
    try {
      return await readRest(first, request, ask);
    } catch (error) {
      if (!isGone(error) || attempt === attemptsMax) throw error;
    }
  }
}

async function readRest(
  first: WireRange,
  request: RangeRequest,
  ask: (request: RangeRequest) => Promise<WireRange>,
): Promise<WireRange> {
  // Who names bytes pages by itself.
  if (!first.more || request['bytesMax'] !== undefined) return first;
  const wanted = typeof request['limit'] === 'number' ? request['limit'] : Infinity;
  const { revision } = first;
  const kvs: WireEntry[] = [...first.kvs];
  let last = first;
  while (last.more && last.after !== undefined && kvs.length < wanted) {
    const limit = wanted === Infinity ? undefined : wanted - kvs.length;
    last = await ask({ ...request, revision, limit, after: last.after });
    for (const kv of last.kvs) kvs.push(kv);
  }
  return { ...last, kvs, count: kvs.length };
}

/** The history begins later by now, or another gateway has not come so far. */
function isGone(error: unknown): boolean {
  return (
    error instanceof QuorateError && (error.code === 'COMPACTED' || error.code === 'BAD_REQUEST')
  );
}

const attemptsMax = 3;
