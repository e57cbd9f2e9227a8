/**
 * Clients that wander from member to member, reading, writing, swapping and deleting a few keys:
 * what they were told must be linearizable, key by key. A client whose member does not answer goes
 * on elsewhere, and what it asked for is in doubt.
 */
import { isQuorateError } from '@quorate/contracts';
import { checkLinearizable } from './linearizability.ts';
import type { Call, Cell, Operation } from './linearizability.ts';
import type { Prng } from './prng.ts';
import type { SimProcess } from './sim-host.ts';
import { violated } from './violation.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type CellsOptions = {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly clientCount: number;
  readonly thinkMs: number;
  /** Reads may rest on leases. */
  readonly leaseReads: boolean;
  /** Any member that runs now. */
  readonly anyProcess: () => SimProcess | undefined;
  readonly fail: (error: unknown) => void;
};

/** What became of one call; `null`: not known yet. */
type Told = { call: Call; readonly beganAt: number; endedAt: number | null; isNothing: boolean };

export class Cells {
  readonly #options: CellsOptions;
  readonly #histories = new Map<string, Told[]>();
  #nextValue = 1;
  #stopped = false;
  #isResting = false;
  readonly counts: Record<string, number> = {};

  constructor(options: CellsOptions) {
    this.#options = options;
  }

  begin(): void {
    for (let i = 0; i < this.#options.clientCount; i++) {
      this.#client(this.#options.prng.fork(`cells ${i}`)).catch(this.#options.fail);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Nobody calls until it is off again. */
  rest(isOn: boolean): void {
    this.#isResting = isOn;
  }

  /** Throws for a history that no order of its calls explains. */
  check(): void {
    for (const [key, records] of this.#histories) {
      const operations: Operation[] = records.filter(
        ({ isNothing, call, endedAt }) => !isNothing && (call.type !== 'read' || endedAt !== null),
      );
      const verdict = checkLinearizable(operations);
      this.#count(verdict === 'too hard' ? 'histories too hard' : 'histories');
      if (verdict !== 'not linearizable') continue;
      violated('linearizable', `${key}: no order explains\n${tell(operations)}`);
    }
  }

  async #client(prng: Prng): Promise<void> {
    const { clock, thinkMs, anyProcess } = this.#options;
    while (!this.#stopped) {
      await wait(clock, prng.between(0.2, 1.8) * thinkMs);
      const process = anyProcess();
      if (process === undefined || this.#stopped || this.#isResting) continue;
      const key = this.#anyKey(prng);
      // Several calls at one member, and then at another.
      for (let calls = 1 + prng.int(3); calls > 0 && !process.closing; calls--) {
        await this.#call(process, key, prng);
      }
    }
  }

  /** A history is kept short, for its check is a search: then another key is used. */
  #anyKey(prng: Prng): string {
    const name = prng.pick(['a', 'b']);
    for (let number = 0; ; number++) {
      const key = `cell/${name}${number}`;
      const records = this.#histories.get(key) ?? [];
      this.#histories.set(key, records);
      if (records.length < callsPerKeyMax) return key;
    }
  }

  async #call(process: SimProcess, key: string, prng: Prng): Promise<void> {
    const { clock } = this.#options;
    const record: Told = {
      call: { type: 'read', value: null },
      beganAt: clock.now(),
      endedAt: null,
      isNothing: false,
    };
    this.#histories.get(key)?.push(record);
    const asked = this.#ask(process, key, record, prng).then(
      () => {
        record.endedAt = clock.now();
      },
      (error: unknown) => {
        this.#failed(record, error, prng);
      },
    );
    await Promise.race([asked, wait(clock, patienceMs)]);
  }

  /** Sets the record's call before it leaves, and its result once it is there. */
  async #ask(process: SimProcess, key: string, record: Told, prng: Prng): Promise<void> {
    const { kv } = process;
    const kind = prng.int(8);
    if (kind < 3) {
      const lease = this.#options.leaseReads && prng.chance(0.7);
      const value = await kv.get<number>(key, { consistency: lease ? 'lease' : 'linearizable' });
      record.call = { type: 'read', value: value ?? null };
      this.#count(lease ? 'lease reads' : 'reads');
      return;
    }
    const value = this.#nextValue++;
    if (kind < 5) {
      record.call = { type: 'write', value };
      await kv.put(key, value);
    } else if (kind < 6) {
      record.call = { type: 'write', value: null };
      await kv.delete(key);
    } else {
      const seen = await kv.getEntry<number>(key, { consistency: 'local' });
      const expected: Cell = seen?.value ?? null;
      record.call = { type: 'swap', expected, value, done: true };
      try {
        await kv.put(key, value, { ifRevision: seen?.modRevision ?? 0 });
      } catch (error) {
        if (!isQuorateError(error, 'CONFLICT')) throw error;
        record.call = { type: 'swap', expected, value, done: false };
      }
    }
    this.#count('changes');
  }

  #failed(record: Told, error: unknown, prng: Prng): void {
    if (!isQuorateError(error)) {
      this.#options.fail(error);
      return;
    }
    record.isNothing = error.outcome !== 'unknown' || record.call.type === 'read';
    if (record.isNothing || !prng.chance(0.5)) return;
    error
      .settle()
      .then(({ outcome }) => {
        if (outcome === 'not-applied') record.isNothing = true;
      })
      .catch(this.#options.fail);
  }

  #count(what: string): void {
    this.counts[`cell ${what}`] = (this.counts[`cell ${what}`] ?? 0) + 1;
  }
}

function wait(clock: VirtualClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, delayMs);
  });
}

function tell(operations: readonly Operation[]): string {
  return operations
    .map(({ call, beganAt, endedAt }) => {
      const end = endedAt === null ? 'unknown' : endedAt.toFixed(3);
      return `  ${beganAt.toFixed(3)} to ${end}: ${JSON.stringify(call)}`;
    })
    .join('\n');
}

const callsPerKeyMax = 80;
/** How long a client waits before it goes on elsewhere. */
const patienceMs = 6_000;
