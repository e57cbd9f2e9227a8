/**
 * A member of another cluster within reach: its founder asked no register, and it believes that this
 * world's replicas asked it to be taken in. It is heard by nobody who belongs to a cluster (Z12).
 */
import { QuorateError, encodeCbor } from '@quorate/contracts';
import { Member } from '@quorate/cluster';
import type { Cipher } from '@quorate/contracts';
import type { RpcRequest } from '@quorate/cluster/inside';
import type { NodeId } from '@quorate/core';
import { KvStateMachine } from '@quorate/kv';
import type { Prng } from './prng.ts';
import { ProcessClock } from './virtual-clock.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { VirtualDisk } from './virtual-disk.ts';
import type { VirtualNetwork } from './virtual-network.ts';

export type StrangerOptions = {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly network: VirtualNetwork;
  readonly cipher: Cipher;
};

export class Stranger {
  readonly #network: VirtualNetwork;
  readonly #clock: ProcessClock;
  readonly #member: AloofMember;

  constructor({ clock, prng, network, cipher }: StrangerOptions) {
    this.#network = network;
    const process = new ProcessClock(clock);
    this.#clock = process;
    const conditions = { syncMsMin: 0.1, syncMsMax: 1, stallChance: 0 };
    const disk = new VirtualDisk({ clock, prng: prng.fork('disk'), conditions });
    this.#member = new AloofMember({
      namespace: 'simulation',
      label: hostId,
      formation: 'isolated',
      clock: process,
      random: (count) => prng.bytes(count),
      createStorage: () => disk.storage(process),
      network: () =>
        Promise.resolve({
          transport: network.transport(hostId, process),
          cipher,
          register: null,
          rendezvous: network.meetingPoint.client(hostId, process),
        }),
      stateMachine: new KvStateMachine(),
    });
    void this.#member.start();
  }

  /** Null before its store is open. */
  get nodeId(): NodeId | null {
    return this.#member.status.nodeId ?? null;
  }

  /** Somebody said that `nodeId` wants to be a member: from now on it is sent the log. */
  takeIn(nodeId: NodeId): void {
    this.#member.takeIn(nodeId);
  }

  end(): void {
    this.#clock.kill();
    this.#network.crash(hostId);
  }
}

/** Takes in nobody who asks: a world has one cluster that its members can join. */
class AloofMember extends Member {
  override answer(request: RpcRequest): Promise<Uint8Array> {
    const message = `Cannot answer ${request.method}: a stranger here`;
    return Promise.reject(new QuorateError('NO_LEADER', message));
  }

  takeIn(nodeId: NodeId): void {
    const facts = { label: '', durable: true, runtime: 'node', domain: '', mayVote: true };
    const body = encodeCbor({ nodeId, facts });
    const { signal } = new AbortController();
    super.answer({ to: null, method: 'join', body }, signal).catch(() => {
      // It does not lead yet; it is asked again.
    });
  }
}

const hostId = 'stranger';
