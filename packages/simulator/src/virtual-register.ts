/**
 * The relay's register on virtual time: linearizable, durable, sometimes out of reach, and with
 * answers that get lost after the deed was done.
 */
import type { CompareAndSetResult, HostId, Register, RegisterRecord } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

export type RegisterConditions = {
  /** One way. */
  delayMsMin: number;
  delayMsMax: number;
  /** Chance that a request is lost, before it was carried out. */
  requestLossChance: number;
  /** Chance that an answer is lost, after it was. */
  answerLossChance: number;
};

const valueBytesMax = 16 * 1024;
/** How long a client waits for an answer that does not come. */
const patienceMs = 1_000;

export class VirtualRegister {
  readonly conditions: RegisterConditions;
  /** Sees each value as it is set. */
  changed: (version: number, value: Uint8Array, by: HostId) => void = () => undefined;
  /** Who ever set it. */
  readonly writers: Set<HostId> = new Set();
  /** False: nobody reaches it. */
  up = true;
  readonly #clock: VirtualClock;
  readonly #prng: Prng;
  readonly #unreachableFrom = new Set<HostId>();
  #record: RegisterRecord | null = null;

  constructor(options: { clock: VirtualClock; prng: Prng; conditions: RegisterConditions }) {
    this.#clock = options.clock;
    this.#prng = options.prng;
    this.conditions = options.conditions;
  }

  get record(): RegisterRecord | null {
    return this.#record;
  }

  setReachable(host: HostId, reachable: boolean): void {
    if (reachable) this.#unreachableFrom.delete(host);
    else this.#unreachableFrom.add(host);
  }

  heal(): void {
    this.up = true;
    this.#unreachableFrom.clear();
    this.conditions.requestLossChance = 0;
    this.conditions.answerLossChance = 0;
  }

  /** The register as `host` sees it, in the life of `process`. */
  client(host: HostId, process: ProcessClock): Register {
    return {
      group: 'virtual-relay',
      read: (signal) => this.#request(host, process, signal, () => this.#record),
      compareAndSet: (expectedVersion, value, signal) => {
        if (value.length > valueBytesMax) {
          throw new RangeError(
            `Cannot set a value of ${value.length} bytes: wanted at most ${valueBytesMax}`,
          );
        }
        return this.#request(host, process, signal, () => this.#set(host, expectedVersion, value));
      },
    };
  }

  #set(host: HostId, expectedVersion: number, value: Uint8Array): CompareAndSetResult {
    const version = this.#record?.version ?? 0;
    if (version !== expectedVersion) return { ok: false, current: this.#record };
    this.#record = { version: version + 1, value: value.slice(), refusedCount: 0 };
    this.writers.add(host);
    this.changed(version + 1, value, host);
    return { ok: true, version: version + 1 };
  }

  #request<T>(
    host: HostId,
    process: ProcessClock,
    signal: AbortSignal,
    carryOut: () => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(new QuorateError('UNREACHABLE', 'Cannot ask the register: no answer'));
      };
      if (signal.aborted) return fail();
      signal.addEventListener('abort', fail);
      const lost = this.#prng.chance(this.conditions.requestLossChance);
      const answerLost = this.#prng.chance(this.conditions.answerLossChance);
      process.setTimeout(fail, patienceMs);
      this.#clock.setTimeout(() => {
        if (lost || !this.#reachable(host)) return;
        const answer = carryOut();
        this.#clock.setTimeout(() => {
          if (answerLost || !this.#reachable(host)) return;
          process.enter(() => {
            resolve(answer);
          });
        }, this.#delay());
      }, this.#delay());
    });
  }

  #reachable(host: HostId): boolean {
    return this.up && !this.#unreachableFrom.has(host);
  }

  #delay(): number {
    return this.#prng.between(this.conditions.delayMsMin, this.conditions.delayMsMax);
  }
}
