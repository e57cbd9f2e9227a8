/** An IndexedDB of which one database opens only when the test says so. */

type StandIn = {
  onupgradeneeded: (() => void) | null;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
  result?: IDBDatabase;
  error?: DOMException | null;
  transaction?: IDBTransaction | null;
};

export class HeldFactory {
  /** How often the database was asked for while it was held. */
  heldCount = 0;
  readonly #factory: IDBFactory;
  readonly #suffix: string;
  readonly #held: (() => void)[] = [];
  #isHeld = true;

  /** Holds databases whose names end so. */
  constructor(factory: IDBFactory, suffix: string) {
    this.#factory = factory;
    this.#suffix = suffix;
  }

  open(name: string, version?: number): IDBOpenDBRequest {
    if (!this.#isHeld || !name.endsWith(this.#suffix)) return this.#factory.open(name, version);
    this.heldCount += 1;
    const standIn: StandIn = { onupgradeneeded: null, onsuccess: null, onerror: null };
    this.#held.push(() => {
      const request = this.#factory.open(name, version);
      request.onupgradeneeded = () => {
        Object.assign(standIn, { result: request.result, transaction: request.transaction });
        standIn.onupgradeneeded?.();
      };
      request.onsuccess = () => {
        standIn.result = request.result;
        standIn.onsuccess?.();
      };
      request.onerror = () => {
        standIn.error = request.error;
        standIn.onerror?.();
      };
    });
    return standIn as unknown as IDBOpenDBRequest;
  }

  databases(): Promise<IDBDatabaseInfo[]> {
    return this.#factory.databases();
  }

  letGo(): void {
    this.#isHeld = false;
    for (const open of this.#held.splice(0)) open();
  }
}
