/** One member under test: a disk that stays, and the process on it while there is one. */
import type { Cipher } from '@quorate/contracts';
import type { ClusterStatus, Policy } from '@quorate/cluster';
import { QuorateError } from '@quorate/contracts';
import { Member } from '@quorate/cluster';
import type { Counter, KeyValue } from '@quorate/kv';
import { KvStateMachine, createKv } from '@quorate/kv';
import type { Prng } from '../prng.ts';
import { ProcessClock } from '../virtual-clock.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { VirtualDisk } from '../virtual-disk.ts';
import type { VirtualNetwork } from '../virtual-network.ts';
import type { VirtualRegister } from '../virtual-register.ts';
import { driven } from './driven-kv.ts';
import type { Pace } from './pace.ts';

/** One member under test. */
export interface TestMember {
  readonly host: string;
  readonly running: boolean;
  /** How it is; of a killed one, how it was. Throws `QuorateError` `CLOSED` before its first start. */
  readonly status: ClusterStatus;
  /**
   * Its key-value store: as in production, with virtual time passing while a call waits. Errors as
   * there; of a killed member `CLOSED`, at once.
   */
  readonly kv: KeyValue;
  counter(name: string): Counter;
  /** Starts its process, if there is none. */
  start(): void;
  /** Ends its process as a crash does: nobody is told. Calls that wait are rejected. */
  kill(): void;
}

/** What the members of a cluster share. */
export type TestMemberParts = {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  readonly policy: Partial<Policy>;
  readonly pace: Pace;
};

type Process = { readonly clock: ProcessClock; readonly member: Member; readonly kv: KeyValue };

export class SimulatedMember implements TestMember {
  readonly host: string;
  readonly #parts: TestMemberParts;
  readonly #prng: Prng;
  readonly #disk: VirtualDisk;
  #process: Process | null = null;
  #last: Process | null = null;

  constructor(host: string, parts: TestMemberParts, prng: Prng) {
    this.host = host;
    this.#parts = parts;
    this.#prng = prng;
    this.#disk = new VirtualDisk({
      clock: parts.clock,
      prng: prng.fork('disk'),
      conditions: { syncMsMin: 0.1, syncMsMax: 0.5, stallChance: 0 },
    });
  }

  get running(): boolean {
    return this.#process !== null;
  }

  get status(): ClusterStatus {
    return this.#known().member.status;
  }

  get kv(): KeyValue {
    return this.#known().kv;
  }

  counter(name: string): Counter {
    return this.kv.counter(name);
  }

  start(): void {
    if (this.#process !== null) return;
    const { clock: worldClock, network, register, cipher, policy, pace } = this.#parts;
    const clock = new ProcessClock(worldClock);
    const prng = this.#prng.fork('process');
    const machine = new KvStateMachine();
    const member = new Member({
      namespace: 'test',
      label: this.host,
      clock,
      random: (count) => prng.bytes(count),
      topics: () => [cipher.topic],
      createStorage: () => this.#disk.storage(clock),
      network: () =>
        Promise.resolve({
          cipher,
          transport: network.transport(this.host, clock),
          register: register.client(this.host, clock),
          rendezvous: network.meetingPoint.client(this.host, clock),
        }),
      stateMachine: machine,
      policy,
    });
    const kv = driven(createKv({ consensus: member, machine }), pace);
    this.#process = { clock, member, kv };
    this.#last = this.#process;
    void member.start();
  }

  kill(): void {
    const process = this.#process;
    if (process === null) return;
    this.#process = null;
    process.clock.kill();
    this.#parts.network.crash(this.host);
    this.#disk.crash();
    // Nothing of it reaches anybody any more; what is left is to reject the calls that wait.
    void process.member.close({ handOver: false });
    process.kv.close();
  }

  #known(): Process {
    if (this.#last === null) throw new QuorateError('CLOSED', `${this.host} was never started`);
    return this.#last;
  }
}
