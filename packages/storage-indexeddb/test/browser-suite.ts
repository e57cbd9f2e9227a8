/** What a real browser is asked: the contract's suite, and a replica that a page opens by hand. */
import { logStorageConformance, registerConformance } from '@quorate/contracts/conformance';
import { IndexedDbRegister } from '../src/indexeddb-register.ts';
import { IndexedDbStorage } from '../src/indexeddb-storage.ts';
import { batchOf, nodeIdA } from './data.ts';

type RegisterCase = (name: string, run: () => Promise<void>) => void;

export function registerSuite(test: RegisterCase): void {
  let databases = 0;
  logStorageConformance({
    test,
    crashes: false,
    create: async () => {
      const name = `conformance ${(databases += 1)}`;
      await erased(name);
      return {
        storage: () => new IndexedDbStorage({ name }),
        cleanup: () => erased(name),
      };
    },
  });
  registerConformance({
    test,
    create: async () => {
      const name = `register ${(databases += 1)}`;
      const registers: IndexedDbRegister[] = [];
      await erased(name);
      return {
        register: async (namespace, topic) => {
          const register = new IndexedDbRegister({ name, namespace, topic });
          registers.push(register);
          return register;
        },
        cleanup: async () => {
          for (const register of registers) register.close();
          await erased(name);
        },
      };
    },
  });
  test('D7 IndexedDbStorage asks for strict durability in every transaction that writes', async () => {
    const asked: string[] = [];
    const begin = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...args) {
      const transaction = begin.apply(this, args);
      if (transaction.mode === 'readwrite') asked.push(transaction.durability);
      return transaction;
    };
    try {
      await erased('durability');
      const storage = new IndexedDbStorage({ name: 'durability' });
      await storage.open({ create: true, newNodeId: nodeIdA, nonce: nonce(1) });
      await storage.load();
      await storage.persist(batchOf(1, 1, 1, 4));
      await storage.close();
    } finally {
      IDBDatabase.prototype.transaction = begin;
    }
    if (asked.join() !== 'strict,strict') throw new Error(`Asked for ${asked.join()}`);
  });
}

/** One replica of this page, driven from outside. Failures come back as their codes. */
export const storagePage = {
  storage: null as IndexedDbStorage | null,
  lastIndex: 0,
  batches: 0,
  acknowledged: 0,

  /** Opens and loads; resolves with what was there, or with the code of the failure. */
  async open(
    name: string,
    options: { readonly create?: boolean; readonly locked?: boolean } = {},
  ): Promise<{ epoch: number; nodeId: string; indexes: number[] } | string> {
    const { create = true, locked = true } = options;
    const storage = new IndexedDbStorage(locked ? { name } : { name, locks: null });
    try {
      const newNodeId = hex(16);
      const { epoch, nodeId } = await storage.open({ create, newNodeId, nonce: hex(8) });
      const { entries } = await storage.load();
      this.storage = storage;
      this.lastIndex = entries.at(-1)?.index ?? 0;
      this.acknowledged = this.lastIndex;
      return { epoch, nodeId, indexes: entries.map(({ index }) => index) };
    } catch (error) {
      await storage.close();
      return codeOf(error);
    }
  },

  /** Persists three more entries of `bytes` each; resolves with `ok` or the code of the failure. */
  async persist(bytes: number = 2): Promise<string> {
    const from = this.lastIndex + 1;
    const batch = batchOf(this.batches + 1, 1, from, from + 3);
    const entries = batch.entries.map((entry) => ({ ...entry, data: noise(bytes) }));
    try {
      await this.storage?.persist({ ...batch, entries });
    } catch (error) {
      return codeOf(error);
    }
    this.batches += 1;
    this.lastIndex += 3;
    this.acknowledged = this.lastIndex;
    return 'ok';
  },

  /** Persists for ever; `tell` hears of each index that is durable, while the next is written. */
  async persistForever(tell: (index: number) => Promise<void>): Promise<void> {
    let told = Promise.resolve();
    while ((await this.persist(200)) === 'ok') {
      await told;
      told = tell(this.acknowledged);
    }
  },

  async close(): Promise<void> {
    await this.storage?.close();
  },
};

async function erased(name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(new Error(`Cannot delete ${name}`));
  });
}

/** Bytes that no database can compress. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function nonce(number: number): string {
  return number.toString(16).padStart(16, '0');
}

function hex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
