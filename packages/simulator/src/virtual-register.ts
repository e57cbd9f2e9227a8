/**
 * The relay's register on virtual time: linearizable, durable, sometimes out of reach, and with
 * answers that get lost after the deed was done.
 */
import type { CompareAndSetResult, HostId, Register, RegisterRecord } from '@quorate/contracts';
import { QuorateError, registerValueBytesMax } from '@quorate/contracts';
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

/** As a relay does. */
const firstClaimsWaitMs = 7_000;
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
  #group = 'virtual-relay';
  /** A register that was just made takes no first claim before (Z58). */
  #heldUntilMs = 0;

  constructor(options: { clock: VirtualClock; prng: Prng; conditions: RegisterConditions }) {
    this.#clock = options.clock;
    this.#prng = options.prng;
    this.conditions = options.conditions;
  }

  get record(): RegisterRecord | null {
    return this.#record;
  }

  /** Its disk is lost, and another begins; with `group` it has another key. */
  lose(group: string = this.#group): void {
    this.#record = null;
    this.#group = group;
    this.#heldUntilMs = this.#clock.now() + firstClaimsWaitMs;
  }

  /** Puts this in its place, whatever was there: an older copy, or nothing. */
  putBack(record: RegisterRecord | null): void {
    this.#record = record;
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
    let wanted: string | null = null;
    const group = (): string => wanted ?? this.#group;
    const admit = (): void => {
      if (group() === this.#group) return;
      throw new QuorateError('REGISTER_LOST', `Its group is ${this.#group}, wanted ${wanted}`, {
        details: { group: this.#group },
      });
    };
    return {
      get group() {
        return group();
      },
      follow: (name) => {
        wanted = name;
      },
      read: (signal) =>
        this.#request(host, process, signal, () => {
          admit();
          return this.#record;
        }),
      compareAndSet: (expectedVersion, value, signal) => {
        if (value.length > registerValueBytesMax) {
          throw new RangeError(
            `Cannot set a value of ${value.length} bytes: wanted at most ${registerValueBytesMax}`,
          );
        }
        return this.#request(host, process, signal, () => {
          admit();
          return this.#set(host, expectedVersion, value);
        });
      },
    };
  }

  #set(host: HostId, expectedVersion: number, value: Uint8Array): CompareAndSetResult {
    const version = this.#record?.version ?? 0;
    if (version !== expectedVersion) return { ok: false, current: this.#record };
    if (version === 0 && this.#clock.now() < this.#heldUntilMs) {
      throw new QuorateError('FORMATION_WAITING', 'Cannot take a first claim yet');
    }
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
        const answer = outcomeOf(carryOut);
        this.#clock.setTimeout(() => {
          if (answerLost || !this.#reachable(host)) return;
          process.enter(() => {
            if (answer instanceof QuorateError) reject(answer);
            else resolve(answer);
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

function outcomeOf<T>(carryOut: () => T): T | QuorateError {
  try {
    return carryOut();
  } catch (error) {
    if (error instanceof QuorateError) return error;
    throw error;
  }
}
