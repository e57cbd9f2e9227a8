/** What the cases of the log storage suite share: data to write, and ways to compare. */
import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import type { LoadedLog, LogStorage } from '../log-storage.ts';
import type { OpenedRun } from '../run.ts';

export const nodeIdA: string = '0123456789abcdef0123456789abcdef';
export const nodeIdB: string = 'ffeeddccbbaa99887766554433221100';

/** Where replicas are stored: a directory, a database, a piece of memory. */
export type LogStorageMedium = {
  /** A new, unopened storage on this medium; any number of times. */
  storage(): LogStorage;
  /**
   * The process and the machine die: what is not durable is lost, calls under way never settle or
   * reject, and the medium can be opened again.
   */
  crash?(): Promise<void>;
  cleanup(): Promise<void>;
};

/** One case of the suite: its title, and what is done to an empty medium. */
export type Case = readonly [string, (medium: LogStorageMedium) => Promise<void>];

/** An open and loaded storage with everything that came out of opening it. */
export type Opened = {
  readonly storage: LogStorage;
  readonly run: OpenedRun;
  readonly log: LoadedLog;
};

/** A nonce of 16 hex digits that tells one opening of a test from another. */
export function nonceOf(number: number): string {
  return number.toString(16).padStart(16, '0');
}

/** Run `epoch` of the first replica: `nonces` are its own and those before it. */
export function runOf(epoch: number, nonces: readonly number[]): OpenedRun {
  const [nonce = '', ...past] = nonces.map(nonceOf);
  return { nodeId: nodeIdA, key: null, epoch, nonce, past, givenUp: [] };
}

export async function openAndLoad(storage: LogStorage, nonce: number = 1): Promise<Opened> {
  const run = await storage.open({ create: true, newNodeId: nodeIdA, nonce: nonceOf(nonce) });
  return { storage, run, log: await storage.load() };
}

/** Entry `index` of `term`; its bytes say which one it is. */
export function entryOf(term: number, index: number, dataBytes: number = 12): Entry {
  const data = new Uint8Array(dataBytes);
  for (let at = 0; at < data.length; at += 1) data[at] = (index * 31 + term * 7 + at) & 0xff;
  const type = index % 10 === 1 ? 'noop' : index % 10 === 2 ? 'membership' : 'normal';
  return { term, index, type, data };
}

export function entriesOf(term: number, from: number, to: number): Entry[] {
  return Array.from({ length: to - from }, (_, offset) => entryOf(term, from + offset));
}

export function hardStateOf(
  currentTerm: number,
  votedFor: string | null = null,
  commitIndex: number = 0,
): HardState {
  return { currentTerm, votedFor, commitIndex };
}

export function batchOf(
  number: number,
  entries: readonly Entry[],
  hardState?: HardState,
): PersistBatch {
  return { number, entries, hardState: hardState ?? hardStateOf(entries.at(-1)?.term ?? 1) };
}

export function metaOf(term: number, index: number): SnapshotMeta {
  return {
    term,
    index,
    membership: {
      voters: [nodeIdA, nodeIdB],
      votersOutgoing: [nodeIdA],
      learners: [],
      learnersNext: [nodeIdB],
    },
    membershipIndex: Math.max(1, index - 1),
  };
}

export function bytesOf(length: number, seed: number = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** `bytes` in pieces of odd sizes: where a chunk ends means nothing. */
export async function* inPieces(
  bytes: Uint8Array,
  pieceBytes: number = 1000,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    yield bytes.subarray(offset, offset + pieceBytes);
  }
}

export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: number[] = [];
  for await (const chunk of chunks) for (const byte of chunk) parts.push(byte);
  return Uint8Array.from(parts);
}

/** Fails, naming the first difference, unless both hold the same data. */
export function same(actual: unknown, wanted: unknown, what: string): void {
  const left = textOf(actual);
  const right = textOf(wanted);
  if (left === right) return;
  throw new Error(`Conformance: ${what}: got ${shortened(left)}, wanted ${shortened(right)}`);
}

/** Lists of entries are compared one by one, so that a failure names the index. */
export function sameEntries(actual: readonly Entry[], wanted: readonly Entry[]): void {
  for (let at = 0; at < Math.max(actual.length, wanted.length); at += 1) {
    same(actual[at], wanted[at], `entry at position ${at} of ${actual.length}`);
  }
}

function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) => {
      if (inner instanceof Uint8Array)
        return `bytes(${inner.length}):${Array.from(inner).join(' ')}`;
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'undefined'
  );
}

function shortened(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}
