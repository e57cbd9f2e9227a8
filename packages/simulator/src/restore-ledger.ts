/**
 * What clients of a cluster that is lost and restored were told, and what must be true of it: a backup
 * is one state at its revision (Z43), and no revision is ever given out twice (Z50).
 */
import type { BackupSource } from '@quorate/kv/backup';
import { generationOf } from '@quorate/kv/backup';
import { violated } from './violation.ts';

export const receiptPrefix = 'receipt/';
export const counterKey = 'counter';

/** One call: it adds to a counter and leaves a receipt of this number. */
type Receipt = {
  revision: number | null;
  /** It was refused before it left. */
  isNothing: boolean;
};

type Found = { readonly key: string; readonly modRevision: number };

export class RestoreLedger {
  readonly #receipts: Receipt[] = [];
  readonly #numbers = new Map<number, number>();
  /** What was in the backup, by number. */
  #saved: ReadonlySet<number> = new Set();
  /** The counter of Z50 that is in force, and since when; 0: the cluster of the beginning. */
  #taken = { generation: 0, atMs: 0 };

  /** A call begins; its number. */
  called(): number {
    return this.#receipts.push({ revision: null, isNothing: false }) - 1;
  }

  notApplied(number: number): void {
    const receipt = this.#receipts[number];
    if (receipt !== undefined) receipt.isNothing = true;
  }

  /** The name was taken for `generation`: it holds what was saved, and nothing that came after. */
  taken(generation: number, atMs: number): void {
    if (generation <= this.#taken.generation) {
      violated('generation', `generation ${generation} was taken a second time (Z50)`);
    }
    this.#taken = { generation, atMs };
  }

  /** A process that began at `beganMs` acknowledges. */
  acknowledged(number: number, revision: number, beganMs: number, nowMs: number): void {
    const receipt = this.#receipts[number];
    if (receipt !== undefined) receipt.revision = revision;
    const known = this.#numbers.get(revision);
    if (known !== undefined && known !== number) {
      const text = `revision ${revision} was given to receipt ${known}, and then to ${number} (Z50)`;
      violated('generation', text);
    }
    this.#numbers.set(revision, number);
    const { generation, atMs } = this.#taken;
    const lateMs = nowMs - Math.max(atMs, beganMs);
    if (generationOf(revision) >= generation || lateMs < lookMsMax) return;
    const text =
      `a member acknowledges in generation ${generationOf(revision)},` +
      ` ${Math.round(lateMs)} ms after ${generation} took the name (Z12)`;
    violated('generation', text);
  }

  /** Whoever begins a backup now must find all of these in it. */
  get floor(): number {
    return Math.max(0, ...this.#numbers.keys());
  }

  /** Z43: `captured` is the state at its revision: all that came before, whole, and nothing else. */
  captured({ state, info }: BackupSource, floor: number): void {
    const { revision } = state;
    if (revision < floor) {
      violated('backup', `a backup is of revision ${revision}, acknowledged was ${floor} (Z43)`);
    }
    const saved = new Set<number>();
    for (const { key, modRevision } of state.records.select({ prefix: receiptPrefix })) {
      if (modRevision > revision) violated('backup', `a backup of ${revision} has ${modRevision}`);
      saved.add(numberOf(key));
    }
    const [counter] = state.records.select({ key: counterKey });
    const total = Number(counter?.entry().value ?? 0);
    if (total !== saved.size) {
      const text = `a backup of ${revision} counts ${total} receipts and has ${saved.size} (Z43)`;
      violated('backup', text);
    }
    for (const [number, { revision: own, isNothing }] of this.#receipts.entries()) {
      if (own === null && !(isNothing && saved.has(number))) continue;
      if (own !== null && own <= revision === saved.has(number)) continue;
      const text = `a backup of ${revision} is wrong of receipt ${number}, written at ${own} (Z43)`;
      violated('backup', text);
    }
    if (info.keys !== state.records.size) violated('backup', `it says ${info.keys} keys`);
    this.#saved = saved;
  }

  /** What a restored cluster holds in the end: what was saved, and what it acknowledged itself. */
  checkEnd(name: string, entries: readonly Found[], counter: number): void {
    const { generation } = this.#taken;
    const present = new Map(entries.map(({ key, modRevision }) => [numberOf(key), modRevision]));
    if (counter !== present.size) {
      violated('backup', `${name} counts ${counter} receipts and has ${present.size} (C1)`);
    }
    for (const [number, { revision, isNothing }] of this.#receipts.entries()) {
      const isOwn = revision !== null && generationOf(revision) === generation;
      const isWanted = isOwn || this.#saved.has(number);
      const at = present.get(number);
      if (isWanted && at === undefined) {
        violated('backup', `${name} lacks receipt ${number}, of revision ${revision}`);
      }
      const isLost = revision !== null && !isWanted;
      if ((isLost || isNothing) && at !== undefined) {
        violated('backup', `${name} has receipt ${number} of ${revision}, which was given up`);
      }
      if (at !== undefined && generationOf(at) !== generation) {
        violated('generation', `${name} has revision ${at} in generation ${generation} (Z50)`);
      }
    }
  }
}

function numberOf(key: string): number {
  return Number(key.slice(receiptPrefix.length));
}

/** Members look at the register after a second, and then every 10 s (Z12). */
const lookMsMax = 14_000;
