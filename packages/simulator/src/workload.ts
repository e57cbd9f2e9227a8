/**
 * Clients and what they must never see. Three kinds of work on every member:
 *
 * - *receipts*: one transaction adds to a counter and leaves a receipt, so that at the end counter
 *   and receipts agree exactly, whatever was retried, doubted or lost;
 * - *registers*: reads and writes of shared keys, checked for linearizability by their revisions;
 * - *watchers*: see each receipt exactly once, in the order of revisions (K1).
 */
import { isQuorateError } from '@quorate/contracts';
import type { Prng } from './prng.ts';
import type { SimProcess } from './sim-host.ts';
import { violated } from './violation.ts';
import type { WanderingWatch } from './wandering-watch.ts';

const counterKey = 'counter';
export const receiptPrefix = 'receipt/';
const registerKeys = ['register/a', 'register/b', 'register/c'];

type Fate = 'pending' | 'acknowledged' | 'not-applied' | 'unknown';

/** One call: `caller` is one life of one member. Numbers are given in call order. */
type Receipt = { readonly caller: string; fate: Fate };

export class Workload {
  /** By number: what the client was told. */
  readonly #receipts = new Map<number, Receipt>();
  /** By key: the highest revision that a completed operation wrote or saw. */
  readonly #floors = new Map<string, number>();
  /** By key and revision: the value that a completed write left. */
  readonly #written = new Map<string, number>();
  readonly #prng: Prng;
  readonly #valueBytesMax: number;
  readonly #fail: (error: unknown) => void;
  #nextNumber = 1;
  #stopped = false;
  #isResting = false;
  /** Calls under way, those of dead processes included. */
  underWay = 0;
  readonly counts: Record<string, number> = {};

  /** `fail` hears of everything that must not happen. */
  constructor(prng: Prng, valueBytesMax: number, fail: (error: unknown) => void) {
    this.#prng = prng;
    this.#valueBytesMax = valueBytesMax;
    this.#fail = fail;
  }

  /** Lets clients work at `process` until it dies or `stop` is called. */
  begin(process: SimProcess, clientCount: number, thinkMs: number): void {
    for (let i = 0; i < clientCount; i++) {
      const prng = this.#prng.fork(`${process.host.id} ${process.number} ${i}`);
      this.#client(process, prng, thinkMs).catch(this.#fail);
    }
    if (this.#prng.chance(0.3)) this.#watcher(process).catch(this.#fail);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Nobody calls until it is off again. */
  rest(isOn: boolean): void {
    this.#isResting = isOn;
  }

  /** One last write at `process`, which must succeed. */
  async lastWrite(process: SimProcess, timeoutMs: number): Promise<void> {
    try {
      await this.#addReceipt(process, this.#prng, timeoutMs);
    } catch (error) {
      // Who was frozen when the storm ended may only now learn that its session is over (Z25).
      if (!isQuorateError(error) || error.code !== 'COMMIT_UNKNOWN') throw error;
      await this.#addReceipt(process, this.#prng, timeoutMs);
    }
  }

  /** What a healed cluster must hold, as `process` sees it. */
  async checkEnd(
    process: SimProcess,
    timeoutMs: number,
    watches: readonly WanderingWatch[],
  ): Promise<void> {
    const { kv } = process;
    const name = process.host.id;
    const { entries } = await kv.range({ prefix: receiptPrefix, timeoutMs });
    const counter = (await kv.get<number>(counterKey, { timeoutMs })) ?? 0;
    const present = new Set<number>();
    for (const entry of entries) {
      if (entry.version !== 1) {
        violated('exactly-once', `${name}: ${entry.key} was applied ${entry.version} times (C1)`);
      }
      present.add(Number(entry.key.slice(receiptPrefix.length)));
    }
    if (counter !== present.size) {
      violated('exactly-once', `${name}: the counter is ${counter}, receipts ${present.size} (C1)`);
    }
    this.#checkCallOrder(entries);
    for (const watch of watches) watch.check(entries);
    for (const [number, { fate }] of this.#receipts) {
      if (fate === 'acknowledged' && !present.has(number)) {
        violated('acknowledged', `${name}: acknowledged receipt ${number} is lost`);
      }
      if (fate === 'not-applied' && present.has(number)) {
        violated('honest-doubt', `${name}: receipt ${number} was said to be not applied (C3)`);
      }
    }
    for (const number of present) {
      if (!this.#receipts.has(number)) violated('exactly-once', `${name}: receipt ${number}?`);
    }
    for (const key of registerKeys) {
      const entry = await kv.getEntry<number>(key, { timeoutMs });
      this.#checkRead(key, this.#floors.get(key) ?? 0, entry);
    }
  }

  /** Calls on one handle take effect in call order, whatever was retried in between. */
  #checkCallOrder(
    entries: readonly { readonly key: string; readonly modRevision: number }[],
  ): void {
    const newest = new Map<string, { readonly number: number; readonly revision: number }>();
    const byRevision = [...entries].sort((a, b) => a.modRevision - b.modRevision);
    for (const { key, modRevision: revision } of byRevision) {
      const number = Number(key.slice(receiptPrefix.length));
      const caller = this.#receipts.get(number)?.caller ?? '';
      const before = newest.get(caller);
      if (before !== undefined && before.number > number) {
        violated(
          'call-order',
          `${caller}: call ${number} took effect at ${revision}, after call ${before.number} at ${before.revision}`,
        );
      }
      newest.set(caller, { number, revision });
    }
  }

  async #client(process: SimProcess, prng: Prng, thinkMs: number): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) =>
        process.clock.setTimeout(resolve, prng.between(0.2, 1.8) * thinkMs),
      );
      if (this.#stopped || process.closing) return;
      if (this.#isResting) continue;
      this.underWay += 1;
      const kind = prng.int(4);
      if (kind === 0) await this.#read(process, prng.pick(registerKeys));
      else if (kind === 1) await this.#write(process, prng);
      else await this.#addReceipts(process, prng);
      this.underWay -= 1;
    }
  }

  /** Several calls at once, as a page does that does not wait for each. */
  async #addReceipts(process: SimProcess, prng: Prng): Promise<void> {
    const callCount = prng.chance(0.2) ? 1 + prng.int(8) : 1;
    const calls = Array.from({ length: callCount }, () =>
      this.#addReceipt(process, prng, undefined).catch(ignoreExpected),
    );
    await Promise.all(calls);
  }

  async #addReceipt(process: SimProcess, prng: Prng, timeoutMs: number | undefined): Promise<void> {
    const number = this.#nextNumber++;
    const receipt: Receipt = { caller: `${process.host.id} ${process.number}`, fate: 'pending' };
    this.#receipts.set(number, receipt);
    try {
      await process.kv.batch(
        [
          { type: 'increment', key: counterKey },
          { type: 'put', key: `${receiptPrefix}${number}`, value: this.#value(prng) },
        ],
        timeoutMs === undefined ? {} : { timeoutMs },
      );
      receipt.fate = 'acknowledged';
      this.#count('acknowledged');
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      this.#count(error.code);
      receipt.fate = error.outcome;
      if (error.outcome === 'unknown' && prng.chance(0.5)) {
        // Z28: a doubt can end; nobody waits for it here.
        error
          .settle()
          .then(({ outcome }) => {
            this.#count(`settled ${outcome}`);
            if (outcome === 'unknown') return;
            receipt.fate = outcome === 'applied' ? 'acknowledged' : 'not-applied';
          })
          .catch(this.#fail);
      }
      throw error;
    }
  }

  async #write(process: SimProcess, prng: Prng): Promise<void> {
    const key = prng.pick(registerKeys);
    const floor = this.#floors.get(key) ?? 0;
    const value = this.#nextNumber++;
    try {
      const { revision } = await process.kv.put(key, value);
      this.#count('writes');
      if (revision <= floor) {
        violated(
          'linearizable',
          `${process.host.id}: a write of ${key} took effect at ${revision}, before ${floor}`,
        );
      }
      const known = this.#written.get(`${key} ${revision}`);
      if (known !== undefined && known !== value) {
        violated('linearizable', `${key} was written twice at revision ${revision}`);
      }
      this.#written.set(`${key} ${revision}`, value);
      this.#raise(key, revision);
    } catch (error) {
      ignoreExpected(error);
      this.#count('failed writes');
    }
  }

  async #read(process: SimProcess, key: string): Promise<void> {
    const floor = this.#floors.get(key) ?? 0;
    try {
      const entry = await process.kv.getEntry<number>(key);
      this.#count('reads');
      this.#checkRead(key, floor, entry);
    } catch (error) {
      ignoreExpected(error);
      this.#count('failed reads');
    }
  }

  #checkRead(
    key: string,
    floor: number,
    entry: { readonly modRevision: number; readonly value: number } | undefined,
  ): void {
    const revision = entry?.modRevision ?? 0;
    if (revision < floor) {
      violated('linearizable', `${key} was read at ${revision}, known before was ${floor}`);
    }
    if (entry === undefined) return;
    const written = this.#written.get(`${key} ${revision}`);
    if (written !== undefined && written !== entry.value) {
      violated(
        'linearizable',
        `${key} at ${revision} reads ${entry.value}, written was ${written}`,
      );
    }
    this.#written.set(`${key} ${revision}`, entry.value);
    this.#raise(key, revision);
  }

  async #watcher(process: SimProcess): Promise<void> {
    let last = 0;
    const seen = new Set<string>();
    try {
      for await (const batch of process.kv.watch({ prefix: receiptPrefix, initial: true })) {
        if (!batch.initial && batch.revision <= last) {
          violated('watch', `A watch went from revision ${last} to ${batch.revision} (K1)`);
        }
        last = batch.revision;
        for (const { key } of batch.events) {
          if (seen.has(key)) violated('watch', `A watch saw ${key} twice (K1)`);
          seen.add(key);
        }
        this.#count('watched');
        if (!this.#prng.chance(0.02)) continue;
        // Between two batches this member's own state tells what must have been seen.
        const { entries } = await process.kv.range({ prefix: receiptPrefix, consistency: 'local' });
        for (const entry of entries) {
          if (entry.modRevision <= last && !seen.has(entry.key)) {
            violated('watch', `A watch at revision ${last} missed ${entry.key} (K1)`);
          }
        }
      }
    } catch (error) {
      ignoreExpected(error);
    }
  }

  #value(prng: Prng): string {
    return 'x'.repeat(prng.int(this.#valueBytesMax));
  }

  #raise(key: string, revision: number): void {
    this.#floors.set(key, Math.max(this.#floors.get(key) ?? 0, revision));
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** Calls fail in a storm, in ways that have names. Anything else is a bug. */
function ignoreExpected(error: unknown): void {
  if (!isQuorateError(error)) throw error;
}
