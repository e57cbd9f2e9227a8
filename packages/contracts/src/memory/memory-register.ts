/** A register and a rendezvous in memory, shared by all hosts that hold the same instance. */
import { QuorateError, assert } from '../errors.ts';
import { registerValueBytesMax } from '../register.ts';
import type { CompareAndSetResult, Register, RegisterRecord } from '../register.ts';

/** What namespaces share: hand one to every host of a test. */
export class MemoryRegisters {
  #group: string;
  readonly #records = new Map<string, RegisterRecord>();
  readonly #owners = new Map<string, string>();
  #reachable = true;

  constructor(group: string) {
    this.#group = group;
  }

  /** The group that answers now. */
  get group(): string {
    return this.#group;
  }

  /** Forgets everything, as when its disk is lost; with `group` another one answers from then on. */
  empty(group: string = this.#group): void {
    this.#records.clear();
    this.#owners.clear();
    this.#group = group;
  }

  /** False: every call rejects with `UNREACHABLE` until it is true again. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
  }

  /** The register of one namespace, as a holder of one secret sees it. */
  register(options: {
    readonly topic: string;
    readonly nameTag: string;
    /** The application named the group: the one of now. Default false. */
    readonly pinned?: boolean;
  }): Register {
    const { topic, nameTag, pinned = false } = options;
    let wanted = pinned ? this.#group : null;
    const admit = (signal: AbortSignal): void => {
      if (signal.aborted || !this.#reachable) {
        throw new QuorateError(
          'UNREACHABLE',
          'Cannot ask the register: no answer, wanted a reachable one',
        );
      }
      if (wanted !== null && wanted !== this.#group) {
        throw new QuorateError(
          'REGISTER_LOST',
          `Cannot use the register: its group is ${this.#group}, wanted ${wanted}`,
          { details: { group: this.#group, isPinned: pinned } },
        );
      }
      const owner = this.#owners.get(nameTag);
      if (owner === undefined || owner === topic) return;
      const stored = this.#records.get(owner);
      if (stored !== undefined) {
        this.#records.set(owner, { ...stored, refusedCount: stored.refusedCount + 1 });
      }
      throw new QuorateError(
        'BAD_SECRET',
        'Cannot use the namespace: it exists under another secret, wanted that one',
      );
    };
    const current = (): string => wanted ?? this.#group;
    return {
      get group() {
        return current();
      },
      pinned,
      follow: (group) => {
        if (!pinned) wanted = group;
      },
      read: async (signal) => {
        // One turn passes before the answer is decided, as on any network.
        await Promise.resolve();
        admit(signal);
        const record = this.#records.get(topic);
        return record === undefined ? null : copyOf(record);
      },
      compareAndSet: async (expectedVersion, value, signal): Promise<CompareAndSetResult> => {
        assert(value.length <= registerValueBytesMax, 'a register value is short');
        const taken = value.slice();
        await Promise.resolve();
        admit(signal);
        const current = this.#records.get(topic);
        if ((current?.version ?? 0) !== expectedVersion) {
          return { ok: false, current: current === undefined ? null : copyOf(current) };
        }
        const version = expectedVersion + 1;
        this.#records.set(topic, {
          version,
          value: taken,
          refusedCount: current?.refusedCount ?? 0,
        });
        this.#owners.set(nameTag, topic);
        return { ok: true, version };
      },
    };
  }
}

function copyOf(record: RegisterRecord): RegisterRecord {
  return { ...record, value: record.value.slice() };
}
