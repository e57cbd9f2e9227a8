/**
 * The connection to one replica's database, and the only place where transactions begin.
 *
 * Each one is strict (D7) and reads the replica's head first (Z4): another identity, another run or
 * a number of writes that is not ours ends this run for good. Connections come and go (browsers
 * close them at will, and Firefox's stays read-only after a lack of space), the replica stays: a
 * lost connection is opened again, a few times per transaction, and the head tells whether the
 * transaction that was under way had happened.
 */
import { QuorateError, assert } from '@quorate/cluster';
import type { OpenOptions, Run } from '@quorate/cluster';
import type { UseStore } from 'idb-keyval';
import {
  databaseVersion,
  generationKey,
  headFormat,
  headKey,
  storageError,
  storeName,
} from './layout.ts';
import type { Head } from './layout.ts';

export type ReplicaDatabaseOptions = {
  readonly name: string;
  readonly indexedDB: IDBFactory;
  /** Go on where a browser cannot be asked for strict durability. */
  readonly acceptRelaxed: boolean;
};

type Mode = 'readonly' | 'readwrite';

export class ReplicaDatabase {
  readonly #name: string;
  readonly #indexedDB: IDBFactory;
  readonly #acceptRelaxed: boolean;
  #connection: Promise<IDBDatabase> | null = null;
  #head: Head | null = null;
  /** Writes follow one another. Never rejects. */
  #lastWrite: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: ReplicaDatabaseOptions) {
    this.#name = options.name;
    this.#indexedDB = options.indexedDB;
    this.#acceptRelaxed = options.acceptRelaxed;
  }

  /** This run, once it was claimed. */
  get run(): Run {
    assert(this.#head !== null, 'claim() comes first');
    const { nodeId, epoch, nonce } = this.#head;
    return { nodeId, epoch, nonce };
  }

  get generation(): number {
    assert(this.#head !== null, 'claim() comes first');
    return this.#head.generation;
  }

  /**
   * Makes this opening the replica's latest run (Z1), durably; only `create` makes a replica.
   * Rejects with `STORAGE_LOST`, `STORAGE_FULL`, `STORAGE_FAILED`, or `OUTDATED` for a database
   * that a newer release wrote (Z20).
   */
  async claim({ create, newNodeId, nonce }: OpenOptions): Promise<Run> {
    const connection = await this.#connect(create);
    const claimed = await this.#transaction<Head>(
      connection,
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
          const head: Head =
            known === undefined
              ? { format: headFormat, generation, nodeId: newNodeId, epoch: 1, nonce, writes: 1 }
              : { ...known, epoch: known.epoch + 1, nonce, writes: known.writes + 1 };
          if (known === undefined) store.put(generation, generationKey);
          store.put(head, headKey);
          finish(head);
        };
      },
    );
    this.#head = claimed;
    return { nodeId: claimed.nodeId, epoch: claimed.epoch, nonce: claimed.nonce };
  }

  /**
   * For idb-keyval and for changes of several records: runs `callback` inside one checked
   * transaction and resolves once that is complete. A writing `callback` may run a second time,
   * after a lost connection: it must write the same again.
   */
  readonly useStore: UseStore = async (mode, callback) => {
    assert(mode !== 'versionchange', 'the database is upgraded when it is opened');
    if (mode === 'readonly') return this.#checked(mode, callback);
    const result = this.#lastWrite.then(() => this.#checked(mode, callback));
    this.#lastWrite = result.then(
      () => {},
      () => {},
    );
    return result;
  };

  /** Synchronous: transactions that have begun run to their end, later calls reject with `CLOSED`. */
  close(): void {
    this.#closed = true;
    this.#forget();
  }

  async #checked<T>(
    mode: Mode,
    callback: (store: IDBObjectStore) => T | PromiseLike<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(mode, callback, attempt > 1);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === attemptsMax) throw storageError(error, `use ${this.#name}`);
        this.#forget();
      }
    }
  }

  async #attempt<T>(
    mode: Mode,
    callback: (store: IDBObjectStore) => T | PromiseLike<T>,
    again: boolean,
  ): Promise<T> {
    const connection = await this.#open();
    const head = this.#head;
    assert(head !== null, 'claim() comes first');
    const next: Head = { ...head, writes: head.writes + 1 };
    const result = await this.#transaction<{ readonly value: T | PromiseLike<T> }>(
      connection,
      mode,
      (store, finish, refuse) => {
        const request = store.get(headKey);
        request.onsuccess = () => {
          const fault = faultOf(request.result as Head | undefined, head, mode, again);
          if (fault !== null) {
            refuse(lost(this.#name, fault));
            return;
          }
          try {
            if (mode === 'readwrite') store.put(next, headKey);
            const value = callback(store);
            // The transaction tells how it ended; a promise about it would only say the same.
            Promise.resolve(value).catch(() => {});
            finish({ value });
          } catch (error) {
            refuse(storageError(error, `use ${this.#name}`));
          }
        };
      },
    );
    if (mode === 'readwrite') this.#head = next;
    return result.value;
  }

  /**
   * One transaction: `work` issues its requests and calls `finish` with the result or `refuse` with
   * a reason to abort. Rejects with `ConnectionLost` when the connection ended it.
   */
  async #transaction<T>(
    connection: IDBDatabase,
    mode: Mode,
    work: (
      store: IDBObjectStore,
      finish: (result: T) => void,
      refuse: (error: Error) => void,
    ) => void,
  ): Promise<T> {
    let transaction: IDBTransaction;
    try {
      transaction = connection.transaction(storeName, mode, { durability: 'strict' });
    } catch (error) {
      throw new ConnectionLost(error);
    }
    return new Promise((resolve, reject) => {
      let result: { readonly value: T } | null = null;
      let refusal: Error | null = null;
      const refuse = (error: Error): void => {
        refusal = error;
        transaction.abort();
      };
      transaction.addEventListener('complete', () => {
        if (result === null)
          reject(new Error('Invariant broken: a complete transaction has a result'));
        else resolve(result.value);
      });
      transaction.addEventListener('abort', () => {
        const { error } = transaction;
        if (refusal !== null) reject(refusal);
        else if (error === null || error.name === 'AbortError') reject(new ConnectionLost(error));
        else reject(this.#failed(error));
      });
      if (mode === 'readwrite' && transaction.durability !== 'strict' && !this.#acceptRelaxed) {
        refuse(
          new QuorateError(
            'STORAGE_FAILED',
            `Cannot write to ${this.#name}: durability is ${transaction.durability}, wanted strict`,
            { outcome: 'not-applied' },
          ),
        );
        return;
      }
      work(transaction.objectStore(storeName), (value) => (result = { value }), refuse);
    });
  }

  #failed(error: DOMException): Error {
    const failure = storageError(error, `write to ${this.#name}`);
    // Firefox keeps refusing on this connection even when there is room again.
    if (error.name === 'QuotaExceededError') this.#forget();
    return failure;
  }

  async #open(): Promise<IDBDatabase> {
    if (this.#closed) throw new QuorateError('CLOSED', `Cannot use ${this.#name}: it is closed`);
    return this.#connection ?? this.#connect(false);
  }

  #connect(create: boolean): Promise<IDBDatabase> {
    const connecting = this.#requestUntilAnswered(create);
    this.#connection = connecting;
    connecting.catch(() => {
      if (this.#connection === connecting) this.#connection = null;
    });
    return connecting;
  }

  /** While site data are being cleared, a browser closes connections that are not even open yet. */
  async #requestUntilAnswered(create: boolean): Promise<IDBDatabase> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#request(create);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === attemptsMax) throw storageError(error, `open ${this.#name}`);
      }
    }
  }

  #request(create: boolean): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = this.#indexedDB.open(this.#name, databaseVersion);
      let empty = false;
      request.onupgradeneeded = () => {
        empty = !create;
        if (create) request.result.createObjectStore(storeName);
        // Undone: a look creates nothing.
        else request.transaction?.abort();
      };
      request.onerror = () => {
        const { error } = request;
        if (empty) reject(lost(this.#name, 'there is no such database'));
        else if (error?.name === 'AbortError') reject(new ConnectionLost(error));
        else if (error?.name === 'VersionError') {
          const wanted = `it was written by a newer release, wanted version ${databaseVersion}`;
          reject(new QuorateError('OUTDATED', `Cannot open ${this.#name}: ${wanted}`));
        } else reject(storageError(error, `open ${this.#name}`));
      };
      request.onsuccess = () => {
        const connection = request.result;
        const leave = (): void => this.#leave(connection);
        connection.addEventListener('close', leave);
        // Somebody deletes the database, or upgrades it: our next transaction finds out which.
        connection.addEventListener('versionchange', leave);
        if (this.#closed) {
          connection.close();
          reject(new QuorateError('CLOSED', `Cannot use ${this.#name}: it is closed`));
        } else if (!connection.objectStoreNames.contains(storeName)) {
          connection.close();
          reject(lost(this.#name, 'it holds something else'));
        } else resolve(connection);
      };
    });
  }

  #leave(connection: IDBDatabase): void {
    connection.close();
    void this.#connection?.then((current) => {
      if (current === connection) this.#connection = null;
    });
  }

  #forget(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.then(
      (open) => open.close(),
      () => {},
    );
  }
}

/** The browser ended the connection under a transaction, or before it. */
class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super('the connection was closed', { cause });
  }
}

/**
 * Why the stored head is not the one this run left, or null. A read may come before or after a
 * write under way; a write that is tried again may have happened the first time.
 */
function faultOf(stored: Head | undefined, head: Head, mode: Mode, again: boolean): string | null {
  if (stored === undefined) return 'its replica is gone';
  if (stored.generation !== head.generation || stored.nodeId !== head.nodeId) {
    return `it holds replica ${stored.nodeId}, wanted ${head.nodeId}`;
  }
  if (stored.epoch !== head.epoch || stored.nonce !== head.nonce) {
    return `run ${stored.epoch} has it, wanted run ${head.epoch}`;
  }
  const ahead = stored.writes - head.writes;
  if (ahead === 0 || (ahead === 1 && (again || mode === 'readonly'))) return null;
  return `it was written ${stored.writes} times, wanted ${head.writes}`;
}

function lost(name: string, reason: string): QuorateError {
  return new QuorateError('STORAGE_LOST', `Cannot use ${name}: ${reason}`);
}

/** How often a connection may be lost under one transaction before that is a failure. */
const attemptsMax = 5;
