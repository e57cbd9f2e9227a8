/**
 * The register of tabs without relays: a database for the origin, with a record per namespace (Z9).
 *
 * A compare-and-set is one strict transaction, and that alone decides: IndexedDB lets writing
 * transactions of all tabs follow one another. The Web Lock around it is a courtesy, so that tabs
 * that start together queue outside of the database; whoever waits too long goes on without it, for
 * the holder may be frozen. Nothing here waits for anybody else.
 */
import { QuorateError, registerValueBytesMax, systemClock } from '@quorate/contracts';
import type { Clock, CompareAndSetResult, Register, RegisterRecord } from '@quorate/contracts';
import { DatabaseConnection } from './database-connection.ts';
import type { Mode, Work } from './database-connection.ts';

/** What is needed of `navigator.locks`. */
export type TurnLocks = {
  request(
    name: string,
    options: { readonly signal: AbortSignal },
    callback: (lock: unknown) => Promise<void>,
  ): Promise<unknown>;
};

export type IndexedDbRegisterOptions = {
  readonly namespace: string;
  /** What holders of one secret have in common; another topic is a stranger: `BAD_SECRET`. */
  readonly topic: string;
  /** The database's name, by default one for the whole origin. */
  readonly name?: string;
  /** By default the page's own. */
  readonly indexedDB?: IDBFactory;
  /** Where tabs queue, by default `navigator.locks`; null: nowhere. */
  readonly locks?: TurnLocks | null;
  /** Go on in a browser that cannot be asked for strict durability. False: `STORAGE_FAILED`. */
  readonly acceptRelaxed?: boolean;
  readonly clock?: Clock;
};

/** Stored under its namespace. */
type Slot = {
  readonly format: number;
  readonly topic: string;
  readonly version: number;
  readonly value: Uint8Array;
  readonly refusedCount: number;
};

/**
 * Besides the contract's errors: `STORAGE_FAILED`, `STORAGE_FULL`, `CLOSED`, and `OUTDATED` for a
 * record that a newer release wrote.
 */
export class IndexedDbRegister implements Register {
  readonly group = 'tabs';
  readonly place = 'the storage of this browser';
  /** It lies in a database of its own, which can go while those of replicas stay. */
  readonly restorable = true;

  readonly #namespace: string;
  readonly #topic: string;
  readonly #name: string;
  readonly #locks: TurnLocks | null;
  readonly #clock: Clock;
  readonly #connection: DatabaseConnection;

  constructor(options: IndexedDbRegisterOptions) {
    const { namespace, topic, name = 'quorate register', clock = systemClock } = options;
    this.#namespace = namespace;
    this.#topic = topic;
    this.#name = name;
    this.#clock = clock;
    this.#locks = options.locks === undefined ? navigatorLocks() : options.locks;
    this.#connection = new DatabaseConnection({
      name,
      indexedDB: options.indexedDB ?? globalThis.indexedDB,
      acceptRelaxed: options.acceptRelaxed ?? false,
    });
  }

  /** Connects to the database ahead of the first question. */
  prepare(): void {
    this.#connection.prepare(true);
  }

  async read(signal: AbortSignal): Promise<RegisterRecord | null> {
    return answered(signal, async () => {
      const slot = await this.#transaction<Slot | null>('readonly', (stored, _store, finish) => {
        finish(stored);
      });
      if (slot !== null && slot.topic !== this.#topic) throw await this.#refused();
      return recordOf(slot);
    });
  }

  async compareAndSet(
    expectedVersion: number,
    value: Uint8Array,
    signal: AbortSignal,
  ): Promise<CompareAndSetResult> {
    if (value.length > registerValueBytesMax) {
      throw new RangeError(
        `Cannot set ${value.length} bytes, wanted at most ${registerValueBytesMax}`,
      );
    }
    const taken = value.slice();
    return answered(signal, async () =>
      this.#inTurn(signal, async () => this.#compareAndSet(expectedVersion, taken)),
    );
  }

  /**
   * Synchronous, as a page needs it that is being left (Z6): a transaction that has begun is carried
   * out or not, later calls reject with `CLOSED`.
   */
  close(): void {
    this.#connection.close();
  }

  async #compareAndSet(expectedVersion: number, value: Uint8Array): Promise<CompareAndSetResult> {
    const [before, isSet] = await this.#transaction<readonly [Slot | null, boolean]>(
      'readwrite',
      (stored, store, finish, refuse, again) => {
        const isOurs = stored === null || stored.topic === this.#topic;
        const isExpected = (stored?.version ?? 0) === expectedVersion;
        if (isOurs && !isExpected && again) {
          // Perhaps by the attempt whose connection was lost: only a look at the value can tell.
          refuse(noAnswer('its connection was lost'));
          return;
        }
        if (isOurs && isExpected) {
          const slot: Slot = {
            format,
            topic: this.#topic,
            version: expectedVersion + 1,
            value,
            refusedCount: stored?.refusedCount ?? 0,
          };
          store.put(slot, this.#namespace);
        }
        finish([stored, isOurs && isExpected]);
      },
    );
    if (before !== null && before.topic !== this.#topic) throw await this.#refused();
    if (isSet) return { ok: true, version: expectedVersion + 1 };
    return { ok: false, current: recordOf(before) };
  }

  /** Counts it, for the owners to see. */
  async #refused(): Promise<QuorateError> {
    await this.#transaction('readwrite', (stored, store, finish) => {
      if (stored !== null) {
        const slot: Slot = { ...stored, refusedCount: stored.refusedCount + 1 };
        store.put(slot, this.#namespace);
      }
      finish(null);
    });
    return new QuorateError(
      'BAD_SECRET',
      `Cannot use namespace ${this.#namespace}: it exists under another secret, wanted that one`,
    );
  }

  /** One transaction that begins with what is stored. */
  async #transaction<T>(
    mode: Mode,
    work: (stored: Slot | null, ...rest: Parameters<Work<T>>) => void,
  ): Promise<T> {
    return this.#connection.run<T>(true, mode, (store, finish, refuse, again) => {
      const request = store.get(this.#namespace) as IDBRequest<Slot | undefined>;
      request.onsuccess = () => {
        const stored = request.result ?? null;
        if (stored === null || stored.format === format) {
          work(stored, store, finish, refuse, again);
          return;
        }
        const wanted = `it has format ${stored.format}, wanted ${format}`;
        const place = `${this.#namespace} in ${this.#name}`;
        refuse(new QuorateError('OUTDATED', `Cannot read ${place}: ${wanted}`));
      };
    });
  }

  /** Under the lock if it comes soon, else without it. */
  async #inTurn<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    if (this.#locks === null) return run();
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const cancel = this.#clock.setTimeout(stop, courtesyMs);
    signal.addEventListener('abort', stop);
    let running: Promise<T> | null = null;
    try {
      const name = `${this.#name} ${this.#namespace}`;
      await this.#locks.request(name, { signal: waiting.signal }, async () => {
        cancel();
        running = run();
        await running;
      });
    } catch {
      // How a turn ended says its own promise; how the waiting did does not matter.
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
    if (running !== null) return running;
    if (signal.aborted) throw noAnswer('the deadline passed');
    return run();
  }
}

/** Ends with the signal, whatever the browser is doing; what was begun goes on unheard. */
async function answered<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw noAnswer('the deadline passed');
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(noAnswer('the deadline passed'));
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([run(), aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function noAnswer(reason: string): QuorateError {
  return new QuorateError('UNREACHABLE', `Cannot ask the register of this browser: ${reason}`);
}

function recordOf(slot: Slot | null): RegisterRecord | null {
  if (slot === null) return null;
  const { version, value, refusedCount } = slot;
  return { version, value, refusedCount };
}

function navigatorLocks(): TurnLocks | null {
  // Absent without a secure context, and in Node before 24.
  return (globalThis.navigator as { readonly locks?: TurnLocks } | undefined)?.locks ?? null;
}

const format = 1;
/** A turn takes milliseconds; whoever holds the lock for longer does not run. */
const courtesyMs = 500;
