/**
 * A browser profile in memory: fake-indexeddb behind views that can be made to fail. Each storage
 * gets a view of its own, as each tab has its own connections; a crash takes the views away.
 */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { IndexedDbStorage } from '../src/indexeddb-storage.ts';
import type { IndexedDbStorageOptions } from '../src/indexeddb-storage.ts';
import { memoryLocks } from './memory-locks.ts';

globalThis.IDBKeyRange = IDBKeyRange;

export class FakeMedium {
  readonly factory: IDBFactory = new IDBFactory();
  readonly views: FakeView[] = [];
  locks: ReturnType<typeof memoryLocks> = memoryLocks();

  storage(options: Partial<IndexedDbStorageOptions> = {}): IndexedDbStorage {
    return new IndexedDbStorage({ ...this.options(), ...options });
  }

  /** For a storage with a view of its own, the newest one. */
  options(): IndexedDbStorageOptions {
    const view = new FakeView(this.factory);
    this.views.push(view);
    return { name: 'test', indexedDB: view.factory, locks: this.locks };
  }

  get view(): FakeView {
    return this.views.at(-1)!;
  }

  /** Reads or changes the stored records behind the storages' backs. */
  async tamper<T>(work: (store: IDBObjectStore) => T): Promise<T> {
    const database = await settled(this.factory.open('test'));
    const transaction = database.transaction('quorate', 'readwrite');
    const result = work(transaction.objectStore('quorate'));
    await new Promise((resolve) => transaction.addEventListener('complete', resolve));
    database.close();
    return result;
  }

  /** Every tab dies: transactions under way are undone, nothing later begins, locks are free. */
  async crash(): Promise<void> {
    for (const view of this.views.splice(0)) view.die();
    this.locks = memoryLocks();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** What one tab sees of the databases. */
export class FakeView {
  readonly factory: IDBFactory;
  readonly connections: IDBDatabase[] = [];
  /** Every transaction that was begun, newest last. */
  readonly transactions: IDBTransaction[] = [];
  /** While set, each writing transaction ends with an error of this name. */
  failure: string | null = null;
  /** What such an error says, and whether it is the only one. */
  failureText = 'refused';
  failsOnce = false;
  /** What the next connections report instead of what was asked for. */
  durability: IDBTransactionDurability | null = null;
  /** So many of the next openings are aborted, as happens while site data are being cleared. */
  abortedOpenings = 0;
  /** While true, writing transactions happen, and report that their connection was closed. */
  silent = false;
  /** While true, nobody hears how a writing transaction ended. */
  mute = false;
  readonly #onClose: (() => void)[] = [];
  #dead = false;

  constructor(real: IDBFactory) {
    this.factory = {
      open: (name: string, version?: number) => {
        if (this.#dead) return {};
        if (this.abortedOpenings > 0) {
          this.abortedOpenings -= 1;
          const error = new DOMException('The connection was closed.', 'AbortError');
          const aborted = { error, onerror: () => {} };
          queueMicrotask(() => aborted.onerror());
          return aborted;
        }
        const request = real.open(name, version);
        request.addEventListener('success', () => this.#watch(request.result));
        return request;
      },
    } as unknown as IDBFactory;
  }

  /** The browser closes the connections by itself, in the middle of what they do. */
  disconnect(): void {
    for (const transaction of this.transactions) abort(transaction);
    for (const connection of this.connections) connection.close();
    for (const listener of this.#onClose.splice(0)) listener();
  }

  die(): void {
    this.#dead = true;
    for (const transaction of this.transactions) abort(transaction);
    for (const connection of this.connections) connection.close();
  }

  #watch(connection: IDBDatabase): void {
    this.connections.push(connection);
    const listen = connection.addEventListener.bind(connection);
    connection.addEventListener = ((type: string, listener: () => void) => {
      if (type === 'close') this.#onClose.push(listener);
      else listen(type, listener);
    }) as typeof listen;
    connection.removeEventListener = (_type: string, listener: unknown) => {
      // Only listeners for the close are ever taken away.
      const at = this.#onClose.findIndex((one) => one === listener);
      if (at >= 0) this.#onClose.splice(at, 1);
    };
    const begin = connection.transaction.bind(connection);
    connection.transaction = (names, mode, options) => {
      const transaction = begin(names, mode, options);
      this.transactions.push(transaction);
      // Only ever hastens what comes anyway, and a browser may still end it otherwise: so must we.
      transaction.commit = () => {};
      if (this.durability !== null) {
        Object.defineProperty(transaction, 'durability', { value: this.durability });
      }
      if (mode === 'readwrite' && this.failure !== null) this.#fail(transaction, this.failure);
      if (mode === 'readwrite' && this.silent) silence(transaction);
      if (mode === 'readwrite' && this.mute) transaction.addEventListener = () => {};
      return transaction;
    };
  }

  /** As a browser does that finds no room, or a broken disk, once the records are written. */
  #fail(transaction: IDBTransaction, name: string): void {
    const error = new DOMException(this.failureText, name);
    if (this.failsOnce) this.failure = null;
    const objectStore = transaction.objectStore.bind(transaction);
    transaction.objectStore = (storeName) => {
      const store = objectStore(storeName);
      const put = store.put.bind(store);
      store.put = (value, key) => {
        const request = put(value, key);
        // One that only deletes needs no room.
        request.addEventListener('success', () => {
          Object.defineProperty(transaction, 'error', { value: error });
          abort(transaction);
        });
        return request;
      };
      return store;
    };
  }
}

/** Who listens for the end of this transaction hears of an abort, though it is complete. */
function silence(transaction: IDBTransaction): void {
  const listen = transaction.addEventListener.bind(transaction);
  const onAbort: (() => void)[] = [];
  transaction.addEventListener = ((type: string, listener: () => void) => {
    if (type === 'abort') onAbort.push(listener);
    else if (type === 'complete') listen('complete', () => onAbort.forEach((tell) => tell()));
    else listen(type, listener);
  }) as typeof listen;
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended before.
  }
}

/** The result of a request, once it is there. */
export async function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(new Error('the request failed')));
  });
}
