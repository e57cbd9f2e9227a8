/**
 * A relay's register on virtual time: the very code that a relay runs, on a disk of this world,
 * sometimes out of reach, and with answers that get lost after the deed was done.
 */
import type { Clock, HostId, Register, RegisterRecord } from '@quorate/contracts';
import { QuorateError, registerValueBytesMax } from '@quorate/contracts';
import { RegisterStore, registerLimits } from '@quorate/transport-libp2p/register';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';
import { VirtualRegisterDisk, emptyImage } from './virtual-register-disk.ts';
import type { RegisterImage } from './virtual-register-disk.ts';

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
/** Of the one namespace that this world is about. */
const name = { topic: 'aa'.repeat(32), nameTag: 'bb'.repeat(16), beside: false };

type Answer = {
  readonly ok: boolean;
  readonly current: RegisterRecord | null;
  readonly floor: number;
};

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
  /** Highest revision that each host has met: its receipt (Z53). */
  readonly #receipts = new Map<HostId, number>();
  #group = 'virtual-relay';
  /** By how much the relay's wall clock is ahead of this world. */
  #aheadMs = 0;
  #strangerCount = 0;
  #disk: VirtualRegisterDisk;
  #store!: RegisterStore;
  #loaded: Promise<unknown> = Promise.resolve();

  constructor(options: { clock: VirtualClock; prng: Prng; conditions: RegisterConditions }) {
    this.#clock = options.clock;
    this.#prng = options.prng;
    this.conditions = options.conditions;
    this.#disk = new VirtualRegisterDisk(options.clock, options.prng.fork('register disk'));
    this.#open(emptyImage);
  }

  /** What it answers, whoever asks. */
  get record(): RegisterRecord | null {
    return recordOf(this.#store.read(name, true).current);
  }

  /** What it holds of the namespace is in use, or was set less than a day ago by its own clock. */
  get isKept(): boolean {
    const entry = this.#disk.image.entries.get(name.topic);
    const now = this.#aheadMs + this.#clock.now();
    return (
      entry !== undefined && (entry.active || entry.setAtMs > now - registerLimits.claimedForMs)
    );
  }

  /** All that is on its disk. */
  get image(): RegisterImage {
    return this.#disk.image;
  }

  /** It may have forgotten something, and knows it. */
  get isIncomplete(): boolean {
    return this.#store.isIncomplete;
  }

  /** Its disk is lost, and another begins; with `group` it has another key. */
  lose(group: string = this.#group): void {
    if (group !== this.#group) this.#receipts.clear();
    this.#group = group;
    this.#open(emptyImage);
    this.#store.holdFirstClaims(this.#clock.now() + firstClaimsWaitMs);
  }

  /** Its process ends between two instructions, and another one goes on. */
  restart(): void {
    this.#open(this.#disk.take());
  }

  /** Its disk is as it was once. */
  putBack(image: RegisterImage): void {
    this.#open(image);
  }

  /** By its own clock, which decides when names that nobody used go. */
  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  /** Somebody claims a name that is none of this world's. */
  async claimAnother(): Promise<void> {
    await this.#loaded;
    this.#strangerCount += 1;
    const topic = this.#strangerCount.toString(16).padStart(64, '0');
    const other = { topic, nameTag: topic.slice(0, 32), beside: false };
    const { floor: expectedVersion } = this.#store.read(other, true);
    const change = { expectedVersion, record: new Uint8Array(1), active: false };
    await this.#store.compareAndSet(other, change, { peer: topic, address: topic });
  }

  /** Puts this in place of what it holds of the namespace; null: nothing. */
  pretend(record: RegisterRecord | null, active = false): void {
    const entries = new Map(this.#disk.image.entries);
    entries.delete(name.topic);
    const { list, isIncomplete } = this.#disk.image;
    if (record === null) {
      const topics = list.topics.filter((topic) => topic !== name.topic);
      this.#open({ list: { ...list, topics }, entries, isIncomplete });
      return;
    }
    entries.set(name.topic, {
      ...{ nameTag: name.nameTag, version: record.version, record: record.value, active },
      ...{ revision: list.revision + 1, setAtMs: this.#clock.now() },
      source: { peer: 'somebody', address: 'somewhere' },
    });
    const topics = [...new Set([...list.topics, name.topic])];
    this.#open({ list: { ...list, topics }, entries, isIncomplete });
  }

  /** Somebody has met a later state of it than this. */
  isKnownToBeBehind({ list, entries }: RegisterImage): boolean {
    const revisions = [...entries.values()].map(({ revision }) => revision);
    return Math.max(...this.#receipts.values()) > Math.max(list.revision, ...revisions);
  }

  /** A host is announced, and shows what it has met (Z53). */
  async announced(host: HostId): Promise<void> {
    await this.#loaded;
    await this.#store.revert(this.#receipts.get(host) ?? 0);
  }

  /** A person at the relay says that nothing is missing. */
  complete(): Promise<boolean> {
    return this.#store.complete();
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
    let floor = 0;
    let writesBack = false;
    const group = (): string => wanted ?? this.#group;
    const ask = async (
      signal: AbortSignal,
      carryOut: (store: RegisterStore) => Promise<Answer>,
    ): Promise<Answer> => {
      const answer = await this.#request(host, process, signal, () => {
        if (group() === this.#group) return carryOut(this.#store);
        throw new QuorateError('REGISTER_LOST', `Its group is ${this.#group}, wanted ${wanted}`, {
          details: { group: this.#group },
        });
      });
      floor = answer.floor;
      return answer;
    };
    return {
      get group() {
        return group();
      },
      follow: (one) => {
        wanted = one;
      },
      writeBack: (isOn) => {
        writesBack = isOn;
      },
      read: async (signal) => {
        const read = async (store: RegisterStore): Promise<Answer> => {
          const { current, floor: standing } = store.read(name, writesBack);
          return { ok: true, current: recordOf(current), floor: standing };
        };
        return (await ask(signal, read)).current;
      },
      compareAndSet: async (expectedVersion, value, signal, active = false) => {
        if (value.length > registerValueBytesMax) {
          throw new RangeError(
            `Cannot set a value of ${value.length} bytes: wanted at most ${registerValueBytesMax}`,
          );
        }
        for (;;) {
          const present: number = expectedVersion === 0 ? floor : expectedVersion;
          const answer = await ask(signal, (store) =>
            this.#set(store, host, { expectedVersion: present, record: value, active }),
          );
          if (answer.ok) return { ok: true, version: present + 1 };
          const isAgain = answer.current === null && expectedVersion === 0 && present < floor;
          if (!isAgain) return { ok: false, current: answer.current };
        }
      },
    };
  }

  async #set(
    store: RegisterStore,
    host: HostId,
    change: { expectedVersion: number; record: Uint8Array; active: boolean },
  ): Promise<Answer> {
    const from = { peer: host, address: host };
    const { ok, current, floor } = await store.compareAndSet(name, change, from);
    if (ok) {
      this.writers.add(host);
      this.changed(change.expectedVersion + 1, change.record, host);
    }
    return { ok, current: recordOf(current), floor };
  }

  #open(image: RegisterImage): void {
    this.#disk.take();
    this.#disk = new VirtualRegisterDisk(this.#clock, this.#prng.fork('register disk'), image);
    const clock = this.#clock;
    const aheadMs = (): number => this.#aheadMs;
    const wallClock: Clock = {
      now: () => clock.now(),
      get originMs() {
        return aheadMs();
      },
      setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
      defer: (callback) => clock.defer(callback),
    };
    this.#store = new RegisterStore({ disk: this.#disk, verify: () => true, clock: wallClock });
    this.#loaded = this.#store.load();
  }

  #request<T>(
    host: HostId,
    process: ProcessClock,
    signal: AbortSignal,
    carryOut: () => Promise<T>,
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
        void outcomeOf(this.#loaded.then(carryOut)).then((outcome) => {
          const { revision } = this.#store;
          this.#clock.setTimeout(() => {
            if (answerLost || !this.#reachable(host)) return;
            this.#receipts.set(host, Math.max(revision, this.#receipts.get(host) ?? 0));
            process.enter(() => {
              if ('error' in outcome) reject(outcome.error);
              else resolve(outcome.answer);
            });
          }, this.#delay());
        });
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

type Stored = {
  readonly version: number;
  readonly record: Uint8Array;
  readonly refusedCount: number;
};

/** What a relay stores is sealed; here it is the value itself. */
function recordOf(stored: Stored | null): RegisterRecord | null {
  if (stored === null) return null;
  const { version, record, refusedCount } = stored;
  return { version, value: record.slice(), refusedCount };
}

type Outcome<T> = { readonly answer: T } | { readonly error: unknown };

async function outcomeOf<T>(answer: Promise<T>): Promise<Outcome<T>> {
  try {
    return { answer: await answer };
  } catch (error) {
    return { error };
  }
}
