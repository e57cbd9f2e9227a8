/**
 * One replica's database: every transaction reads the replica's head first (Z4). Another identity,
 * another run or a number of writes that is not ours ends this run for good. Connections come and go
 * beneath (see database-connection.ts), the replica stays: the head tells whether a transaction that
 * was under way when one was lost had happened.
 */
import { QuorateError, assert, madeWithAnotherSecret, nextRun } from '@quorate/contracts';
import type { Mark, OpenOptions, OpenedRun } from '@quorate/contracts';
import { noise } from '@quorate/contracts/noise';
import type { UseStore } from 'idb-keyval';
import { DatabaseConnection, lost } from './database-connection.ts';
import type { DatabaseConnectionOptions, Mode } from './database-connection.ts';
import {
  chunksRange,
  generationKey,
  headFormat,
  headKey,
  isOfNone,
  logRange,
  reserveKey,
  snapshotKey,
  storageError,
} from './layout.ts';
import type { Head, SnapshotHead } from './layout.ts';

/** What a replica's database held when it was claimed, as it was stored. */
export type Rows = {
  readonly logKeys: readonly IDBValidKey[];
  readonly logValues: readonly unknown[];
  readonly snapshot: SnapshotHead | undefined;
  readonly chunkKeys: readonly IDBValidKey[];
};

export class ReplicaDatabase {
  readonly #name: string;
  readonly #connection: DatabaseConnection;
  #head: Head | null = null;
  #rows: Rows | null = null;
  /** Writes follow one another. Never rejects. */
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(options: DatabaseConnectionOptions) {
    this.#name = options.name;
    this.#connection = new DatabaseConnection(options);
  }

  /** This run, once it was claimed. */
  get run(): OpenedRun {
    assert(this.#head !== null, 'claim() comes first');
    return runOf(this.#head);
  }

  get generation(): number {
    assert(this.#head !== null, 'claim() comes first');
    return this.#head.generation;
  }

  /** The rows that came with the claim. Once: they are not kept. */
  takeRows(): Rows {
    const rows = this.#rows;
    assert(rows !== null, 'claim() comes first, and its rows are taken once');
    this.#rows = null;
    return rows;
  }

  /** Connects ahead of the claim, where a caller has to wait for something else. Claims nothing. */
  prepare(): void {
    this.#connection.prepare(true);
  }

  /**
   * Makes this opening the replica's latest run (Z1), durably; only `create` makes a replica. The
   * same transaction reads what there is: it is handed out once the claim is durable.
   * Rejects with `BAD_SECRET`, `STORAGE_LOST`, `STORAGE_FULL`, `STORAGE_FAILED`, or `OUTDATED` for a database
   * that a newer release wrote (Z20).
   */
  async claim(options: OpenOptions): Promise<OpenedRun> {
    const { create, topics } = options;
    // A claim that is made a second time, after a lost connection, costs an epoch and nothing else.
    const { head, rows } = await this.#connection.run<{ readonly head: Head; readonly rows: Rows }>(
      create,
      'readwrite',
      (store, finish, refuse) => {
        const headRequest = store.get(headKey);
        const generationRequest = store.get(generationKey);
        generationRequest.onsuccess = () => {
          const known = headRequest.result as Head | undefined;
          if (known === undefined && !create) {
            refuse(lost(this.#name, 'there is no replica in it'));
            return;
          }
          if (known !== undefined && known.format !== headFormat) {
            const wanted = `it has format ${known.format}, wanted ${headFormat}`;
            refuse(new QuorateError('OUTDATED', `Cannot open ${this.#name}: ${wanted}`));
            return;
          }
          const generation = ((generationRequest.result as number | undefined) ?? 0) + 1;
          const begin = (): Head => {
            store.put(generation, generationKey);
            const topic = topics?.[0] ?? null;
            return { ...nextRun(null, options), format: headFormat, generation, writes: 1, topic };
          };
          const take = (head: Head, rows: Rows): void => {
            store.put(head, headKey);
            finish({ head, rows });
            store.transaction.commit();
          };
          if (known === undefined) {
            take(begin(), noRows);
            return;
          }
          readRows(store, known.generation, (rows) => {
            if (!isOfNone(known, topics)) {
              try {
                take({ ...known, ...nextRun(known, options), writes: known.writes + 1 }, rows);
              } catch (error) {
                // Marked: it stays as it is (Z38).
                refuse(storageError(error, `open ${this.#name}`));
              }
            } else if (rows.logKeys.length > 0 || rows.snapshot !== undefined) {
              refuse(madeWithAnotherSecret(this.#name));
            } else {
              // It never became anybody's replica.
              take(begin(), noRows);
            }
          });
        };
      },
    );
    this.#head = head;
    this.#rows = rows;
    return runOf(head);
  }

  /**
   * Reads what there is without a claim, where there is no room for one; false for what may not be
   * shown: nothing, somebody else's, or a marked replica.
   */
  async look(topics: readonly string[] | undefined): Promise<boolean> {
    type Found = { readonly head: Head; readonly rows: Rows };
    const found = await this.#connection.run<Found | null>(false, 'readonly', (store, finish) => {
      const request = store.get(headKey);
      request.onsuccess = () => {
        const head = request.result as Head | undefined;
        if (head?.format !== headFormat || head.mark !== null || isOfNone(head, topics))
          finish(null);
        else readRows(store, head.generation, (rows) => finish({ head, rows }));
      };
    });
    if (found === null) return false;
    this.#head = found.head;
    this.#rows = found.rows;
    return true;
  }

  /** Durably writes why this replica must not be claimed again (Z38). */
  async mark(mark: Mark): Promise<void> {
    await this.#write(() => undefined, mark);
  }

  /**
   * For idb-keyval and for changes of several records: runs `callback` inside one checked
   * transaction and resolves once that is complete. `callback` places all of its requests before it
   * returns, and one that writes may run a second time, after a lost connection: it must write the
   * same again.
   */
  readonly useStore: UseStore = async (mode, callback) => {
    assert(mode !== 'versionchange', 'the database is upgraded when it is opened');
    if (mode === 'readonly') return this.#checked(mode, callback);
    return this.#write(callback);
  };

  /** Has the reserve be there, or not. It is nobody's data: no write of this run, and not checked. */
  async reserve(bytes: number): Promise<void> {
    await this.#connection.run<null>(false, 'readwrite', (store, finish) => {
      finish(null);
      if (bytes === 0) store.delete(reserveKey);
      const request = store.count(reserveKey);
      request.onsuccess = () => {
        if (request.result === 0 && bytes > 0) store.put(noise(bytes), reserveKey);
        store.transaction.commit();
      };
    });
  }

  /** Synchronous: transactions that have begun run to their end, later calls reject with `CLOSED`. */
  close(): void {
    this.#connection.close();
  }

  async #write<T>(
    callback: (store: IDBObjectStore) => T | PromiseLike<T>,
    mark: Mark | null = null,
  ): Promise<T> {
    const result = this.#lastWrite.then(() => this.#checked('readwrite', callback, mark));
    this.#lastWrite = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async #checked<T>(
    mode: Mode,
    callback: (store: IDBObjectStore) => T | PromiseLike<T>,
    mark: Mark | null = null,
  ): Promise<T> {
    // Only a run that has claimed comes here: a database that is gone by now is not made again.
    const result = await this.#connection.run<Checked<T>>(
      false,
      mode,
      (store, finish, refuse, again) => {
        // As it is when the transaction begins: opening a connection takes its time.
        const head = this.#head;
        assert(head !== null, 'claim() comes first');
        const next: Head = { ...head, writes: head.writes + 1, mark: mark ?? head.mark };
        // Requests are carried out in order, and nothing counts before the transaction is complete:
        // the look at the head comes first although the rest does not wait for its answer, which
        // would cost each write another way to the database and back.
        const request = store.get(headKey);
        try {
          if (mode === 'readwrite') store.put(next, headKey);
          const value = callback(store);
          // The transaction tells how it ended; a promise about it would only say the same.
          Promise.resolve(value).catch(() => {});
          finish({ value, next });
        } catch (error) {
          refuse(storageError(error, `use ${this.#name}`));
          return;
        }
        request.onsuccess = () => {
          const fault = faultOf(request.result as Head | undefined, head, mode, again);
          if (fault !== null) refuse(lost(this.#name, fault.text, fault.run));
          else if (mode === 'readwrite') store.transaction.commit();
        };
      },
    );
    if (mode === 'readwrite') this.#head = result.next;
    return result.value;
  }
}

const noRows: Rows = { logKeys: [], logValues: [], snapshot: undefined, chunkKeys: [] };

function runOf({ nodeId, key, epoch, nonce, past, givenUp }: Head): OpenedRun {
  return { nodeId, key, epoch, nonce, past, givenUp };
}

function readRows(store: IDBObjectStore, generation: number, done: (rows: Rows) => void): void {
  const log = logRange(generation);
  const logKeys = store.getAllKeys(log);
  const logValues = store.getAll(log);
  const snapshot = store.get(snapshotKey(generation));
  const chunkKeys = store.getAllKeys(chunksRange(generation));
  chunkKeys.onsuccess = () => {
    done({
      logKeys: logKeys.result,
      logValues: logValues.result as unknown[],
      snapshot: snapshot.result as SnapshotHead | undefined,
      chunkKeys: chunkKeys.result,
    });
  };
}

/** What a transaction that found its head gave, and the head after it if it wrote. */
type Checked<T> = { readonly value: T | PromiseLike<T>; readonly next: Head };

/**
 * Why the stored head is not the one this run left, or null. A read may come before or after a
 * write under way; a write that is tried again may have happened the first time.
 */
function faultOf(stored: Head | undefined, head: Head, mode: Mode, again: boolean): Fault | null {
  if (stored === undefined) return { text: 'its replica is gone' };
  if (stored.generation !== head.generation || stored.nodeId !== head.nodeId) {
    return { text: `it holds replica ${stored.nodeId}, wanted ${head.nodeId}` };
  }
  if (stored.epoch !== head.epoch || stored.nonce !== head.nonce) {
    const text = `run ${stored.epoch} has it, wanted run ${head.epoch}`;
    return stored.epoch > head.epoch ? { text, run: stored.epoch } : { text };
  }
  const ahead = stored.writes - head.writes;
  if (ahead === 0 || (ahead === 1 && (again || mode === 'readonly'))) return null;
  return { text: `it was written ${stored.writes} times, wanted ${head.writes}` };
}

type Fault = {
  readonly text: string;
  /** The later run that has the replica. */
  readonly run?: number;
};
