/** A member that is its own cluster: the real key-value machine, applied to without any network. */
import { QuorateError } from '@quorate/contracts';
import type { Applied, Consensus, ErrorCode } from '@quorate/contracts';
import type { ClusterStatus } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import { KvStateMachine, createKv } from '@quorate/kv';
import type { KeyValue, KvEntry } from '@quorate/kv';
import type { GatewayTarget } from '../src/index.ts';
import { fakeStatus } from './fake-target.ts';

export class LocalMember implements GatewayTarget {
  readonly status: ClusterStatus = fakeStatus;
  readonly kv: KeyValue;
  /** What every proposal and read barrier fails with, if anything. */
  failure: ErrorCode | null = null;

  /** Members that are given the same `log` apply the same commands, as replicas do. */
  constructor(log: ReplicatedLog) {
    const machine = new KvStateMachine();
    const consensus: Consensus = {
      propose: async (command) => {
        this.#fail();
        return log.append(command, machine);
      },
      readBarrier: async () => this.#fail(),
    };
    log.replicate(machine);
    this.kv = createKv({ consensus, machine });
  }

  members(): ClusterStatus['members'] {
    return this.status.members;
  }

  async showRegister(): Promise<RegisterView> {
    return { group: null, record: null, trouble: null, announced: [] };
  }

  async restoreRegister(): Promise<RestoredRegister> {
    throw new QuorateError('UNSUPPORTED', 'Cannot restore: no register here');
  }

  async leave(): Promise<void> {
    this.#fail();
  }

  async *backup(): AsyncGenerator<Uint8Array, undefined> {
    yield await Promise.resolve(new Uint8Array());
  }

  async *export(): AsyncGenerator<KvEntry, undefined> {
    yield* (await this.kv.range()).entries;
  }

  #fail(): void {
    if (this.failure !== null) throw new QuorateError(this.failure, 'Told so');
  }
}

export class ReplicatedLog {
  readonly #machines: KvStateMachine[] = [];
  #index = 0;

  replicate(machine: KvStateMachine): void {
    this.#machines.push(machine);
  }

  append(command: Uint8Array, at: KvStateMachine): Applied {
    this.#index++;
    let result = new Uint8Array();
    for (const machine of this.#machines) {
      const applied = machine.apply(command, { index: this.#index, time: this.#index });
      if (machine === at) result = new Uint8Array(applied);
      machine.flush();
    }
    return { result, appliedHere: true };
  }
}
