/** Hosts of made-up replicas on a network in memory. */
import type { Message } from '@quorate/core';
import { QuorateError } from '@quorate/contracts';
import type { ActiveCluster, Transport } from '@quorate/contracts';
import { createPlainCipher, MemoryMeetingPoint, MemoryNetwork } from '@quorate/contracts/memory';
import type { RunFacts } from '../src/links/hello.ts';
import { Host } from '../src/links/host.ts';
import type { Charge, Fork, HostedReplica } from '../src/links/hosted-replica.ts';
import type { RpcRequest } from '../src/links/rpc.ts';
import type { SignedRuns } from '../src/links/signed-run.ts';
import type { Opening } from '../src/links/witness-records.ts';
import { branch } from './branches.ts';
import { ManualClock, seededBytes } from './manual-clock.ts';

export const nodeId = (digit: string): string => digit.repeat(32);

export class FakeReplica implements HostedReplica {
  readonly nodeId: string;
  /** See `branch`. */
  readonly word: string;
  readonly received: { message: Message; sender: RunFacts }[] = [];
  readonly bulk: { from: string; body: Uint8Array }[] = [];
  readonly events: string[] = [];
  active: ActiveCluster | null = null;
  readonly forks: Fork[] = [];
  readonly charges: Charge[] = [];
  opening: Opening = { term: 0, votedFor: null, lastIndex: 0 };
  voters: string[] = ['a', 'b', 'c'];
  knows = (id: string): boolean => this.voters.some((digit) => nodeId(digit) === id);
  incumbent = true;

  constructor(digit: string, word: string = 'x', id: string = nodeId(digit)) {
    this.nodeId = id;
    this.word = word;
  }

  facts(): RunFacts {
    return {
      nodeId: this.nodeId,
      ...branch(this.word),
      givenUp: [],
      clusterId: null,
      generation: 0,
      label: 'x',
      durable: true,
      opening: this.opening,
      proof: this.proof,
    };
  }

  proof: Uint8Array | null = null;
  /** Of this moment; null: what it began with. */
  now: Opening | null = null;

  present(): Opening {
    return this.now ?? this.opening;
  }

  reverted({ code }: QuorateError): void {
    this.events.push(`reverted ${code}`);
  }

  leader(): null {
    return null;
  }

  /** The replicas that this one takes for members; null: it is a member of nothing. */
  members: ReadonlySet<string> | null = null;

  returns(id: string): boolean | null {
    return this.members === null ? null : this.members.has(id);
  }

  cluster(): ActiveCluster | null {
    return this.active;
  }

  receive(message: Message, sender: RunFacts): void {
    this.received.push({ message, sender });
  }

  receiveBulk(from: string, body: Uint8Array): void {
    this.bulk.push({ from, body });
  }

  linked(facts: RunFacts, newRun: boolean): void {
    this.events.push(`linked ${facts.nodeId[0]} ${newRun ? 'new' : 'same'}`);
  }

  unlinked(id: string): void {
    this.events.push(`unlinked ${id[0]}`);
  }

  knowsVoter(id: string): boolean {
    return this.knows(id);
  }

  isIncumbent(): boolean {
    return this.incumbent;
  }

  disowned(charge: Charge): void {
    this.charges.push(charge);
    this.events.push(`disowned ${charge.error.code}`);
  }

  forkSeen(fork: Fork): void {
    this.forks.push(fork);
  }

  answer(request: RpcRequest): Promise<Uint8Array> {
    if (request.method === 'no') return Promise.reject(new QuorateError('NO_LEADER', 'no leader'));
    return Promise.resolve(request.body);
  }
}

export class Bench {
  readonly clock: ManualClock = new ManualClock();
  readonly network: MemoryNetwork = new MemoryNetwork({ clock: this.clock, retryMs: 100 });
  readonly meetingPoint: MemoryMeetingPoint = new MemoryMeetingPoint();
  readonly refused: Map<string, QuorateError[]> = new Map();

  async host(
    name: string,
    replicas: readonly FakeReplica[],
    options: {
      secret?: string;
      meet?: boolean;
      signedRuns?: SignedRuns;
      transport?: Transport;
    } = {},
  ): Promise<Host> {
    const cipher = createPlainCipher({
      namespace: 'test',
      secrets: [options.secret ?? 's'],
      strict: true,
    });
    const refused: QuorateError[] = [];
    this.refused.set(name, refused);
    const host = new Host({
      transport: options.transport ?? this.network.transport(name),
      cipher,
      clock: this.clock,
      random: seededBytes(this.refused.size),
      signedRuns: options.signedRuns ?? null,
      rendezvous: options.meet === false ? null : this.meetingPoint.rendezvous('t'),
      onRefused: (_host, error) => refused.push(error),
      onBroken: () => undefined,
      onChange: () => undefined,
    });
    for (const replica of replicas) host.add(replica);
    await host.start();
    return host;
  }

  codes(name: string): string[] {
    return (this.refused.get(name) ?? []).map(({ code }) => code);
  }
}

export const heartbeat = (from: string, to: string): Message => ({
  type: 'Heartbeat',
  from: nodeId(from),
  to: nodeId(to),
  term: 1,
  leaderCommit: 0,
  readRound: 0,
});
