/**
 * One attempt of an optimistic transaction: reads come from one captured revision and are noted,
 * writes are collected. The commit holds only if nothing that was read has changed since.
 */
import { bindMethods } from '@quorate/contracts/bound';
import { checkWritable, prefixKinds } from '@quorate/contracts/kv-calls';
import { takeOptions } from '@quorate/contracts/options';
import type { CompareCommand, OperationCommand } from './command.ts';
import { checkKey, compareKeys } from './key.ts';
import type { StoreCapture } from './store.ts';
import { checkTarget } from './requests.ts';
import type { TxnParts } from './requests.ts';
import type { KvEntry, Transaction, Value } from './types.ts';
import { decodeValue, encodeValue } from './value.ts';

export class TransactionAttempt implements Transaction {
  readonly #state: Pick<StoreCapture, 'records' | 'revision'>;
  readonly #keysRead = new Map<string, number>();
  readonly #prefixesRead = new Set<string>();
  /** Encoded values; null deletes. */
  readonly #writes = new Map<string, Uint8Array | null>();
  #over = false;

  constructor(state: Pick<StoreCapture, 'records' | 'revision'>) {
    bindMethods(this);
    this.#state = state;
  }

  get<T = unknown>(key: string): T | undefined {
    return this.getEntry<T>(key)?.value;
  }

  getEntry<T = unknown>(key: string): KvEntry<T> | undefined {
    this.#check();
    checkKey(key, 'read in a transaction');
    const written = this.#writes.get(key);
    if (written !== undefined) return (writtenEntry(key, written) ?? undefined) as KvEntry<T>;
    const record = this.#state.records.get(key);
    this.#keysRead.set(key, record?.modRevision ?? 0);
    return record?.entry() as KvEntry<T> | undefined;
  }

  range<T = unknown>(options: { readonly prefix: string }): readonly KvEntry<T>[] {
    this.#check();
    const { prefix = '' } = takeOptions(options, prefixKinds, 'read in a transaction');
    checkTarget({ prefix }, 'read in a transaction');
    this.#prefixesRead.add(prefix);
    const entries: KvEntry[] = [];
    for (const record of this.#state.records.select({ prefix })) {
      if (!this.#writes.has(record.key)) entries.push(record.entry());
    }
    for (const [key, written] of this.#writes) {
      const entry = key.startsWith(prefix) ? writtenEntry(key, written) : null;
      if (entry !== null) entries.push(entry);
    }
    return entries.sort((a, b) => compareKeys(a.key, b.key)) as KvEntry<T>[];
  }

  put(key: string, value: Value): void {
    this.#check();
    checkKey(key, 'write in a transaction');
    checkWritable(key, 'write in a transaction');
    this.#writes.set(key, encodeValue(value));
  }

  delete(key: string): void {
    this.#check();
    checkKey(key, 'delete in a transaction');
    checkWritable(key, 'delete in a transaction');
    this.#writes.set(key, null);
  }

  /** Ends the attempt. Null where nothing was written: there is nothing to commit. */
  finish(): TxnParts | null {
    this.#over = true;
    if (this.#writes.size === 0) return null;
    const compares: CompareCommand[] = [];
    for (const [key, number] of this.#keysRead) {
      compares.push({ type: 'modRevision', key, is: '=', number });
    }
    for (const prefix of this.#prefixesRead) {
      compares.push({ type: 'unchanged', selector: { prefix }, since: this.#state.revision });
    }
    const then: OperationCommand[] = [];
    for (const [key, value] of this.#writes) {
      if (value !== null) then.push({ type: 'put', key, value, previous: false });
      else then.push({ type: 'delete', selector: { key }, previous: false });
    }
    return { compares, then };
  }

  #check(): void {
    if (!this.#over) return;
    throw new TypeError('Cannot use a transaction after its body returned');
  }
}

function writtenEntry(key: string, value: Uint8Array | null): KvEntry | null {
  if (value === null) return null;
  return { key, value: decodeValue(value), createRevision: 0, modRevision: 0, version: 0 };
}
