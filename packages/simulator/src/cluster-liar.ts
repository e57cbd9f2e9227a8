/**
 * A host of a cluster world that has the secret, says that it is a run of the cluster, and lies (T8).
 * It is no member. Either it claims to lead, and then what it sends of a log is nothing or garbage;
 * or it never claims that, and then its snapshots may look like true ones: nobody may take them.
 */
import type { Cipher } from '@quorate/contracts';
import { ByteWriter } from '@quorate/contracts';
import { Host, ReplicatedState } from '@quorate/cluster/inside';
import type { HostedReplica, RunFacts } from '@quorate/cluster/inside';
import type { InstallSnapshot, Message, NodeId } from '@quorate/core';
import { encodeMessage } from '@quorate/core';
import { KvStateMachine } from '@quorate/kv';
import type { Prng } from './prng.ts';
import type { SimProcess } from './sim-host.ts';
import { ProcessClock } from './virtual-clock.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { VirtualNetwork } from './virtual-network.ts';

export type ClusterLiarOptions = {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly network: VirtualNetwork;
  readonly cipher: Cipher;
  readonly clusterId: string;
};

export class ClusterLiar implements HostedReplica {
  readonly nodeId: NodeId;
  readonly #prng: Prng;
  readonly #network: VirtualNetwork;
  readonly #clock: ProcessClock;
  readonly #host: Host;
  readonly #facts: RunFacts;
  readonly #claims: boolean;
  #streamId = 1_000;

  constructor({ clock, prng, network, cipher, clusterId }: ClusterLiarOptions) {
    this.#prng = prng;
    this.#network = network;
    this.#claims = prng.chance(0.5);
    this.nodeId = prng.hex(16);
    this.#facts = {
      nodeId: this.nodeId,
      epoch: 1,
      nonce: prng.hex(8),
      past: [],
      givenUp: [],
      clusterId,
      generation: 1,
      label: hostId,
      durable: true,
      opening: { term: 0, votedFor: null, lastIndex: 0 },
      proof: null,
    };
    this.#clock = new ProcessClock(clock);
    this.#host = new Host({
      transport: network.transport(hostId, this.#clock),
      cipher,
      clock: this.#clock,
      random: (count) => prng.bytes(count),
      rendezvous: network.meetingPoint.client(hostId, this.#clock),
      onRefused: () => undefined,
      onBroken: () => undefined,
      onChange: () => undefined,
    });
    this.#host.add(this);
    void this.#host.start();
  }

  /** Tells one of `processes` something; what kind of lie it was, null where nobody listens. */
  lie(processes: readonly SimProcess[]): string | null {
    const linked = processes.filter(({ member }) => {
      const { nodeId } = member.status;
      return nodeId !== null && this.#host.isLinked(nodeId);
    });
    if (linked.length === 0) return null;
    const { nodeId, raft } = this.#prng.pick(linked).member.status;
    const to = { from: this.nodeId, to: nodeId ?? '' };
    const kinds = this.#claims ? claims : schemes;
    const kind = this.#prng.pick(kinds);
    switch (kind) {
      case 'leads':
        this.#say(this.#beat({ ...to, term: raft.term + this.#prng.int(3) }, 0));
        break;
      case 'hands over':
        this.#say({ type: 'TimeoutNow', ...to, term: raft.term + this.#prng.int(2) });
        break;
      case 'contradicts':
        this.#say(this.#contradiction({ ...to, term: raft.term + 1 }, raft.commitIndex));
        break;
      case 'garbage':
        this.#say(this.#beat({ ...to, term: raft.term + 1 }, 0));
        this.#stream({ ...to, term: raft.term + 1 }, raft.lastIndex + 50, this.#prng.bytes(64));
        break;
      case 'answers':
        this.#say(this.#answer({ ...to, term: raft.term + this.#prng.pick([0, 1, 2 ** 40]) }));
        break;
      case 'far':
        this.#say(this.#beat({ ...to, term: 2 ** 48 }, 0));
        break;
      case 'bare':
        this.#say(install({ ...to, term: raft.term + 3 }, raft.lastIndex + 50));
        break;
      case 'snapshot':
        this.#stream({ ...to, term: raft.term + 3 }, raft.lastIndex + 50, emptyState());
        break;
    }
    return kind;
  }

  end(): void {
    this.#clock.kill();
    this.#network.crash(hostId);
  }

  #say(message: Message): void {
    this.#host.post([message]);
    this.#host.flush();
  }

  #beat(head: Head, leaderCommit: number): Message {
    return { type: 'Heartbeat', ...head, leaderCommit, readRound: 0 };
  }

  #contradiction(head: Head, commitIndex: number): Message {
    if (commitIndex === 0 || this.#prng.chance(0.5)) return this.#beat(head, 2 ** 40);
    const prevEntry = { term: head.term, index: commitIndex };
    return { type: 'AppendEntries', ...head, prevEntry, leaderCommit: 0, entries: [] };
  }

  #answer(head: Head): Message {
    return this.#prng.pick<Message>([
      { type: 'RequestVoteResponse', ...head, granted: true },
      { type: 'PreVoteResponse', ...head, granted: false, votedFor: null },
      { type: 'AppendEntriesResponse', ...head, matchIndex: 2 ** 40, rejected: null },
      { type: 'HeartbeatResponse', ...head, readRound: 2 ** 40 },
    ]);
  }

  /** A whole snapshot, as a leader streams it. */
  #stream(head: Head, index: number, bytes: Uint8Array): void {
    const id = this.#streamId++;
    const piece = new ByteWriter().u8(1).varint(id).varint(0).raw(bytes).finish();
    let checksum = 0x811c9dc5;
    for (const byte of bytes) checksum = Math.imul(checksum ^ byte, 0x01000193) >>> 0;
    const end = new ByteWriter().u8(2).varint(id).varint(bytes.length).varint(checksum);
    this.#host.sendBulk(this.nodeId, head.to, piece);
    const message = encodeMessage(install(head, index));
    this.#host.sendBulk(this.nodeId, head.to, end.raw(message).finish());
  }

  /** Whatever it said before, it says that it has more. */
  present(): RunFacts['opening'] {
    return { term: Number.MAX_SAFE_INTEGER, votedFor: null, lastIndex: Number.MAX_SAFE_INTEGER };
  }

  reverted(): void {
    // It goes on.
  }

  facts(): RunFacts {
    return this.#facts;
  }

  leader(): NodeId | null {
    return this.#claims ? this.nodeId : null;
  }

  returns(): null {
    return null;
  }

  cluster(): null {
    return null;
  }

  receive(): void {
    // It listens to nobody.
  }

  receiveBulk(): void {
    // Nor does it want anything.
  }

  linked(): void {
    // It looks for whom to lie to when it lies.
  }

  unlinked(): void {
    // And misses nobody.
  }

  knowsVoter(): boolean {
    return false;
  }

  isIncumbent(): boolean {
    return false;
  }

  forkSeen(): void {
    // Nor what is said of others.
  }

  disowned(): void {
    // It goes on.
  }

  answer(): Promise<Uint8Array> {
    return Promise.reject(new RangeError('It answers nothing'));
  }
}

type Head = { readonly from: NodeId; readonly to: NodeId; readonly term: number };

function install(head: Head, index: number): InstallSnapshot {
  const membership = { voters: [head.from], votersOutgoing: [], learners: [], learnersNext: [] };
  const meta = { term: head.term, index, membership, membershipIndex: 1 };
  return { type: 'InstallSnapshot', ...head, meta };
}

/** A snapshot that can be read, and in which nothing is. */
function emptyState(): Uint8Array {
  const writer = new ByteWriter();
  for (const chunk of new ReplicatedState(new KvStateMachine()).snapshot()) writer.raw(chunk);
  return writer.finish();
}

const claims = ['leads', 'hands over', 'contradicts', 'garbage'] as const;
const schemes = ['answers', 'far', 'bare', 'snapshot'] as const;
const hostId = 'liar';
