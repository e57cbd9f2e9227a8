/** Snapshots as pieces of a bounded size, each behind a checksum, each written by itself. */
import type { Chunks } from '@quorate/contracts';
import { delMany, get, set } from 'idb-keyval';
import { chunkKey, corrupt, under } from './layout.ts';
import type { SnapshotHead } from './layout.ts';
import { sealed, unsealed } from './record.ts';
import type { ReplicaDatabase } from './replica-database.ts';

export class SnapshotChunks {
  readonly #name: string;
  readonly #database: ReplicaDatabase;
  /** How many read each snapshot now; pieces stay as long as somebody does. */
  readonly #readers = new Map<number, number>();
  readonly #outdated = new Set<number>();

  constructor(name: string, database: ReplicaDatabase) {
    this.#name = name;
    this.#database = database;
  }

  /** Writes the pieces of snapshot `id`, durably, and resolves with their count. */
  async write(id: number, chunks: Chunks): Promise<number> {
    const { generation, useStore } = this.#database;
    let count = 0;
    for await (const piece of inPieces(chunks)) {
      await set(chunkKey(generation, id, count), sealed(piece), useStore);
      count += 1;
    }
    return count;
  }

  async *read({ id, chunks }: SnapshotHead): AsyncGenerator<Uint8Array> {
    const { generation, useStore } = this.#database;
    try {
      for (let position = 0; position < chunks; position += 1) {
        const key = chunkKey(generation, id, position);
        const piece = unsealed(await get<unknown>(key, useStore));
        if (piece === null) throw corrupt(this.#name, key, 'the piece is missing or damaged');
        yield piece;
      }
    } finally {
      await this.#release(id);
    }
  }

  /** Keeps snapshot `id` readable until a `read` of it ends. */
  hold(id: number): void {
    this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
  }

  /** Snapshot `id` counts no more: its pieces go now, or when the last reader is done. */
  async retire(id: number): Promise<void> {
    if (this.#readers.has(id)) this.#outdated.add(id);
    else await this.#remove(id);
  }

  /** Removes what an earlier run left behind: all of these pieces but those of `current`. */
  async sweep(keys: readonly IDBValidKey[], current: number | null): Promise<void> {
    const { useStore } = this.#database;
    const left = keys.filter((key) => (key as [number, string, number])[2] !== current);
    if (left.length > 0) await delMany(left, useStore);
  }

  async #release(id: number): Promise<void> {
    const left = (this.#readers.get(id) ?? 1) - 1;
    if (left > 0) {
      this.#readers.set(id, left);
      return;
    }
    this.#readers.delete(id);
    if (!this.#outdated.delete(id)) return;
    // Whoever read is no party to this; the next opening sweeps.
    await this.#remove(id).catch(() => {});
  }

  async #remove(id: number): Promise<void> {
    const { generation, useStore } = this.#database;
    await useStore('readwrite', (store) => {
      store.delete(under(generation, 'chunk', id));
    });
  }
}

/** The same bytes in pieces of at most `pieceBytesMax`, none empty. */
async function* inPieces(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(pieceBytesMax);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.subarray(at, at + pieceBytesMax - filled);
      piece.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < pieceBytesMax) continue;
      yield piece;
      piece = new Uint8Array(pieceBytesMax);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

const pieceBytesMax = 262_144;
