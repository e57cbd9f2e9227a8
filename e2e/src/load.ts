/**
 * Clients that write and read through every gateway at once, and remember what they were told, so
 * that it can be held against what is there in the end.
 */
import { call, demand, entries } from './gateway.ts';
import type { Answer, Entry } from './gateway.ts';
import { sleep } from './wait.ts';

/** A completed operation on the shared counter, in this process's time. */
type Observation = {
  readonly type: 'increment' | 'read';
  readonly startMs: number;
  readonly endMs: number;
  readonly value: number;
};

export type Workers = {
  /** Increment one counter, never again what may have happened. Default 3. */
  readonly counting?: number;
  /** Count and leave a mark in one transaction, again and again until it is known to be done. Default 3. */
  readonly insisting?: number;
  /** Put keys of their own, each once. Default 3. */
  readonly putting?: number;
  /** Read the counter. Default 1. */
  readonly reading?: number;
};

export class Load {
  readonly #gateways: readonly string[];
  readonly #stopping = new AbortController();
  readonly #workers: Promise<void>[] = [];
  readonly #observations: Observation[] = [];
  readonly #puts = {
    acked: new Set<string>(),
    refused: new Set<string>(),
    open: new Set<string>(),
  };
  readonly #broken: string[] = [];
  #incrementsAcked = 0;
  #incrementsUnknown = 0;
  #insisted = 0;
  #retried = 0;

  /** Begins at once. */
  constructor(gateways: readonly string[], workers: Workers = {}) {
    this.#gateways = gateways;
    const { counting = 3, insisting = 3, putting = 3, reading = 1 } = workers;
    for (let n = 0; n < counting; n++) this.#begin(() => this.#count(n));
    for (let n = 0; n < insisting; n++) this.#begin(() => this.#insist(n));
    for (let n = 0; n < putting; n++) this.#begin(() => this.#put(n));
    for (let n = 0; n < reading; n++) this.#begin(() => this.#read(n));
  }

  /** Writes known to have been applied. */
  get acked(): number {
    return this.#incrementsAcked + this.#insisted + this.#puts.acked.size;
  }

  get tally(): string {
    const { acked, refused, open } = this.#puts;
    return `${this.#incrementsAcked} increments (${this.#incrementsUnknown} unknown), ${this.#insisted} transactions (${this.#retried} retries), ${acked.size} puts (${refused.size} not applied, ${open.size} unknown), ${this.#observations.length} observations`;
  }

  /** Resolves once nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#workers);
  }

  /** Everything that is wrong with what `gateway` has in the end; empty: nothing is. */
  async complaints(gateway: string): Promise<string[]> {
    const wrong = [...this.#broken];
    this.#checkPuts(await entries(gateway, 'put/'), wrong);
    this.#checkMarks(await entries(gateway, 'once/'), wrong);
    const done = await numberAt(gateway, 'done');
    if (done !== this.#insisted) wrong.push(`done is ${done}, wanted exactly ${this.#insisted}`);
    const hits = await numberAt(gateway, 'hits');
    const most = this.#incrementsAcked + this.#incrementsUnknown;
    if (hits < this.#incrementsAcked || hits > most) {
      wrong.push(`hits is ${hits}, wanted from ${this.#incrementsAcked} to ${most}`);
    }
    wrong.push(...disorder(this.#observations));
    return wrong;
  }

  #checkPuts(found: readonly Entry[], wrong: string[]): void {
    const present = new Map(found.map((kv) => [kv.key, kv]));
    for (const key of this.#puts.acked) {
      if (!present.has(key)) wrong.push(`${key} was acknowledged and is lost`);
    }
    for (const key of this.#puts.refused) {
      if (present.has(key)) wrong.push(`${key} was said not to be applied and is there`);
    }
    for (const kv of found) {
      if (kv.version !== 1) wrong.push(`${kv.key} was applied ${kv.version} times`);
      if (kv.value !== `of ${kv.key}`) wrong.push(`${kv.key} holds ${JSON.stringify(kv.value)}`);
      const { acked, open } = this.#puts;
      if (!acked.has(kv.key) && !open.has(kv.key)) wrong.push(`${kv.key} was never written`);
    }
  }

  #checkMarks(found: readonly Entry[], wrong: string[]): void {
    if (found.length !== this.#insisted) {
      wrong.push(`there are ${found.length} marks, wanted exactly ${this.#insisted}`);
    }
    for (const kv of found) {
      if (kv.version !== 1) wrong.push(`${kv.key} was applied ${kv.version} times`);
    }
  }

  #begin(work: () => Promise<void>): void {
    this.#workers.push(
      work().catch((error: unknown) => {
        this.#broken.push(`a client broke: ${error instanceof Error ? error.message : 'so'}`);
      }),
    );
  }

  async #count(worker: number): Promise<void> {
    await this.#loop(worker, async (gateway) => {
      const startMs = performance.now();
      const answer = await call<{ value: number }>(gateway, 'increment', { key: 'hits' });
      if (answer.ok) {
        this.#incrementsAcked++;
        this.#observe('increment', startMs, answer.result.value);
      } else if (answer.outcome === 'unknown') {
        this.#incrementsUnknown++;
      }
      return answer;
    });
  }

  async #insist(worker: number): Promise<void> {
    let n = 0;
    let again = false;
    const attempt = async (gateway: string): Promise<Answer<unknown>> => {
      const key = `once/${worker}/${String(n).padStart(6, '0')}`;
      const answer = await call(gateway, 'txn', {
        if: [{ key, exists: false }],
        then: [
          { type: 'put', key, value: worker },
          { type: 'increment', key: 'done' },
        ],
      });
      if (again) this.#retried++;
      again = !answer.ok;
      if (answer.ok) {
        this.#insisted++;
        n++;
      }
      return answer;
    };
    await this.#loop(worker, attempt);
    // What is in doubt when the load ends is done to the end, too.
    for (let turn = worker; again; turn++) {
      await attempt(this.#gateway(turn));
      if (again) await sleep(pauseAfterFailureMs);
    }
  }

  async #put(worker: number): Promise<void> {
    let n = 0;
    await this.#loop(worker, async (gateway) => {
      const key = `put/${worker}/${String(n++).padStart(6, '0')}`;
      const answer = await call(gateway, 'put', { key, value: `of ${key}` });
      const { acked, refused, open } = this.#puts;
      if (answer.ok) acked.add(key);
      else if (answer.outcome === 'unknown') open.add(key);
      else refused.add(key);
      return answer;
    });
  }

  async #read(worker: number): Promise<void> {
    await this.#loop(worker, async (gateway) => {
      const startMs = performance.now();
      const answer = await call<{ kv: Entry | null }>(gateway, 'get', { key: 'hits' });
      if (answer.ok) this.#observe('read', startMs, Number(answer.result.kv?.value ?? 0));
      return answer;
    });
  }

  #observe(type: Observation['type'], startMs: number, value: number): void {
    this.#observations.push({ type, startMs, endMs: performance.now(), value });
  }

  /** One after another through the same gateway while it answers, then through the next. */
  async #loop(worker: number, once: (gateway: string) => Promise<Answer<unknown>>): Promise<void> {
    let turn = worker;
    while (!this.#stopping.signal.aborted) {
      const answer = await once(this.#gateway(turn));
      if (!answer.ok) turn++;
      await sleep(answer.ok ? pauseMs : pauseAfterFailureMs);
    }
  }

  #gateway(turn: number): string {
    return this.#gateways[turn % this.#gateways.length] ?? '';
  }
}

/**
 * What contradicts one counter that everybody shares: an increment returns a value of its own,
 * greater than all that was known before it began; a read returns none smaller.
 */
function disorder(observations: readonly Observation[]): string[] {
  const wrong: string[] = [];
  const values = new Set<number>();
  for (const { type, value } of observations) {
    if (type === 'increment' && values.has(value)) wrong.push(`two increments returned ${value}`);
    if (type === 'increment') values.add(value);
  }
  const byEnd = [...observations].sort((a, b) => a.endMs - b.endMs);
  let ended = 0;
  let known = 0;
  for (const one of [...observations].sort((a, b) => a.startMs - b.startMs)) {
    for (let next = byEnd[ended]; next !== undefined && next.endMs < one.startMs;) {
      known = Math.max(known, next.value);
      ended++;
      next = byEnd[ended];
    }
    if (one.value < known || (one.type === 'increment' && one.value === known)) {
      wrong.push(`the next ${one.type} returned ${one.value} after ${known} was known`);
    }
  }
  return wrong;
}

async function numberAt(gateway: string, key: string): Promise<number> {
  const { kv } = await demand<{ kv: Entry | null }>(gateway, 'get', { key });
  return Number(kv?.value ?? 0);
}

/** Enough to keep two cores from doing nothing else. */
const pauseMs = 15;
const pauseAfterFailureMs = 150;
