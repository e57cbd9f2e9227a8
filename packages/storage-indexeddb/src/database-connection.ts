/**
 * A connection to one database, and the only place where transactions begin.
 *
 * Connections come and go: browsers close them at will, one that stays open must not stand in the
 * way of whoever deletes the database, and Firefox's stays read-only after a lack of space. So a lost
 * connection is opened again, a few times per transaction. Every transaction asks for strict
 * durability (D7); one that writes and does not get it is refused.
 */
import { QuorateError } from '@quorate/contracts';
import { databaseVersion, storageError, storeName } from './layout.ts';

export type DatabaseConnectionOptions = {
  readonly name: string;
  readonly indexedDB: IDBFactory;
  /** Go on where a browser cannot be asked for strict durability. */
  readonly acceptRelaxed: boolean;
};

export type Mode = 'readonly' | 'readwrite';

/**
 * One transaction's requests: calls `finish` with the result, or `refuse` with a reason to abort.
 * `again`: a connection was lost under an earlier attempt, which may have been carried out.
 */
export type Work<T> = (
  store: IDBObjectStore,
  finish: (result: T) => void,
  refuse: (error: Error) => void,
  again: boolean,
) => void;

export class DatabaseConnection {
  readonly #name: string;
  readonly #indexedDB: IDBFactory;
  readonly #acceptRelaxed: boolean;
  #connection: Promise<IDBDatabase> | null = null;
  #closed = false;
  /** Tells those who wait for a connection that none is wanted any more. */
  readonly #refusals = new Set<(error: Error) => void>();

  constructor(options: DatabaseConnectionOptions) {
    this.#name = options.name;
    this.#indexedDB = options.indexedDB;
    this.#acceptRelaxed = options.acceptRelaxed;
  }

  /**
   * Runs `work` in one transaction, and in another one after a lost connection; resolves once it is
   * complete. Only `create` makes the database. Rejects with what `work` refused with, `STORAGE_LOST`,
   * `STORAGE_FULL`, `STORAGE_FAILED`, `CLOSED`, or `OUTDATED` for a database that a newer release
   * wrote (Z20).
   */
  async run<T>(create: boolean, mode: Mode, work: Work<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const connection = await this.#open(create);
        if (this.#closed) throw closed(this.#name);
        return await this.#transaction(connection, mode, work, attempt > 1);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === attemptsMax) throw storageError(error, `use ${this.#name}`);
        this.#forget();
      }
    }
  }

  /** Connects ahead of the first `run`; what fails, that one meets again and reports. */
  prepare(create: boolean): void {
    this.#open(create).catch(() => {});
  }

  /**
   * Synchronous: transactions that have begun run to their end, and none begins any more. What waits
   * for a connection and later calls reject with `CLOSED`.
   */
  close(): void {
    this.#closed = true;
    this.#forget();
    for (const refuse of this.#refusals) refuse(closed(this.#name));
  }

  /** Rejects with `ConnectionLost` when the connection ended it. */
  async #transaction<T>(
    connection: IDBDatabase,
    mode: Mode,
    work: Work<T>,
    again: boolean,
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
      // It comes behind the ends of all transactions, but Chromium forgets some of those: of one that
      // begins in the moment in which a site's data are cleared nothing else is ever heard.
      const cutOff = (): void => reject(refusal ?? new ConnectionLost(transaction.error));
      connection.addEventListener('close', cutOff);
      transaction.addEventListener('complete', () => {
        connection.removeEventListener('close', cutOff);
        if (result === null)
          reject(new Error('Invariant broken: a complete transaction has a result'));
        else resolve(result.value);
      });
      transaction.addEventListener('abort', () => {
        connection.removeEventListener('close', cutOff);
        const { error } = transaction;
        if (refusal !== null) reject(refusal);
        else if (error === null || isCutOff(error)) reject(new ConnectionLost(error));
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
      work(transaction.objectStore(storeName), (value) => (result = { value }), refuse, again);
    });
  }

  #failed(error: DOMException): Error {
    const failure = storageError(error, `write to ${this.#name}`);
    // Firefox keeps refusing on this connection even when there is room again.
    if (error.name === 'QuotaExceededError') this.#forget();
    return failure;
  }

  async #open(create: boolean): Promise<IDBDatabase> {
    if (this.#closed) throw closed(this.#name);
    const connecting = this.#connection ?? this.#connect(create);
    let refuse: (error: Error) => void = () => {};
    const refused = new Promise<never>((_, reject) => (refuse = reject));
    this.#refusals.add(refuse);
    try {
      return await Promise.race([connecting, refused]);
    } finally {
      this.#refusals.delete(refuse);
    }
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
          reject(closed(this.#name));
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
 * Did the browser only close the connection? Chromium calls that unknown when it clears a site's data,
 * as it calls a failure of the disk, which must stay one: a second try at that would lie.
 */
function isCutOff({ name, message }: DOMException): boolean {
  return name === 'AbortError' || (name === 'UnknownError' && /delete origin/i.test(message));
}

/** `run`: the later run of the same replica that has it now. */
export function lost(name: string, reason: string, run?: number): QuorateError {
  const details = run === undefined ? {} : { run };
  return new QuorateError('STORAGE_LOST', `Cannot use ${name}: ${reason}`, { details });
}

function closed(name: string): QuorateError {
  return new QuorateError('CLOSED', `Cannot use ${name}: it is closed`);
}

/** How often a connection may be lost under one transaction before that is a failure. */
const attemptsMax = 5;
