import { encodeMessage } from '@quorate/core';
import type { Message } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { branch } from '../../test/branches.ts';
import { ManualClock, seededBytes } from '../../test/manual-clock.ts';
import { QuorateError } from '@quorate/contracts';
import type { ActiveCluster, Transport } from '@quorate/contracts';
import { decodeHello, encodeHello } from './hello.ts';
import type { RunFacts } from './hello.ts';
import { Host } from './host.ts';
import type { Charge, Fork, HostedReplica } from './hosted-replica.ts';
import { createPlainCipher, MemoryMeetingPoint, MemoryNetwork } from '@quorate/contracts/memory';
import type { RpcRequest } from './rpc.ts';
import type { Opening } from './witness-records.ts';

const nodeId = (digit: string): string => digit.repeat(32);

class FakeReplica implements HostedReplica {
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
  voters = ['a', 'b', 'c'];
  incumbent = true;

  constructor(digit: string, word = 'x') {
    this.nodeId = nodeId(digit);
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
    };
  }

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
    return this.voters.some((digit) => nodeId(digit) === id);
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

class Bench {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork({ clock: this.clock, retryMs: 100 });
  readonly meetingPoint = new MemoryMeetingPoint();
  readonly refused = new Map<string, QuorateError[]>();

  async host(
    name: string,
    replicas: readonly FakeReplica[],
    options: { secret?: string; meet?: boolean; transport?: Transport } = {},
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

const heartbeat = (from: string, to: string): Message => ({
  type: 'Heartbeat',
  from: nodeId(from),
  to: nodeId(to),
  term: 1,
  leaderCommit: 0,
  readRound: 0,
});

describe('Host', () => {
  test('hosts that meet at the rendezvous link, and route by NodeId', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const hostA = await bench.host('A', [a]);
    await bench.host('B', [b]);
    await bench.clock.advance(50);
    expect(a.events).toEqual(['linked b new']);
    expect(hostA.isLinked(b.nodeId)).toBe(true);
    hostA.post([heartbeat('a', 'b'), heartbeat('a', 'b')]);
    hostA.flush();
    expect(hostA.sendBulk(a.nodeId, b.nodeId, new Uint8Array([1, 2]))).toBe(true);
    await bench.clock.advance(10);
    expect(b.received.map(({ sender }) => sender.nodeId)).toEqual([a.nodeId, a.nodeId]);
    expect(b.bulk.map(({ from, body }) => [from, [...body]])).toEqual([[a.nodeId, [1, 2]]]);
    const answer = hostA.request(b.nodeId, 'echo', new Uint8Array([7]), { timeoutMs: 100 });
    expect([...(await bench.clock.wait(answer))]).toEqual([7]);
    const refused = hostA.request(b.nodeId, 'no', new Uint8Array(0), { timeoutMs: 100 });
    await expect(bench.clock.wait(refused)).rejects.toMatchObject({ code: 'NO_LEADER' });
    const nobody = hostA.request(nodeId('9'), 'echo', new Uint8Array(0), { timeoutMs: 100 });
    await expect(nobody).rejects.toMatchObject({ code: 'UNREACHABLE', outcome: 'not-applied' });
  });

  test('T9 Z45 of thousands of made-up hosts that a peer names 1,024 are learnt and dialled', async () => {
    const bench = new Bench();
    const dialled = new Set<string>();
    const transport = bench.network.transport('A');
    const { connect } = transport;
    transport.connect = (host, addresses) => {
      dialled.add(host);
      connect.call(transport, host, addresses);
    };
    const host = await bench.host('A', [new FakeReplica('a')], { transport });
    for (let hello = 0; hello < 40; hello += 1) {
      host.meet(
        Array.from({ length: 256 }, (_, at) => ({
          host: `nobody-${hello}-${at}`,
          addresses: ['memory://nowhere'],
        })),
      );
    }
    expect(host.acquaintances()).toHaveLength(1_024);
    expect(dialled.size).toBe(1_024);
    await host.close();
  });

  test('T9 Z45 a hello that names more than 256 hosts, or a longer address, is refused whole', () => {
    const facts = new FakeReplica('a').facts();
    const named = (count: number, address = 'memory://nowhere'): Uint8Array =>
      encodeHello({
        ...{ host: 'A', addresses: [], runs: [facts], leader: null, witnesses: [], refused: [] },
        ...{ present: [], link: { random: 'a', earlier: [] }, heard: [] },
        acquaintances: Array.from({ length: count }, (_, at) => ({
          host: `nobody-${at}`,
          addresses: [address],
        })),
      });
    expect(decodeHello(named(256)).acquaintances).toHaveLength(256);
    const bad = expect.objectContaining({ code: 'BAD_REQUEST' }) as Error;
    expect(() => decodeHello(named(257))).toThrow(bad);
    expect(() => decodeHello(named(1, 'x'.repeat(513)))).toThrow(bad);
  });

  test('Z41 it announces of which active cluster it hosts a member, and takes that back', async () => {
    const bench = new Bench();
    const [fresh, member] = [new FakeReplica('a'), new FakeReplica('b')];
    const host = await bench.host('A', [fresh, member]);
    const watcher = bench.meetingPoint.rendezvous('t');
    const told = async (): Promise<unknown> => {
      const [one] = await watcher.list(new AbortController().signal);
      return one?.cluster;
    };
    expect(await told()).toBeUndefined();
    member.active = { clusterId: nodeId('c'), generation: 2, label: 'b' };
    host.announce();
    expect(await told()).toEqual(member.active);
    member.active = null;
    host.announce();
    expect(await told()).toBeUndefined();
    await host.close();
  });

  test('F12 two replicas of one host talk without a link', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const host = await bench.host('A', [a, b]);
    host.post([heartbeat('a', 'b')]);
    host.sendBulk(a.nodeId, b.nodeId, new Uint8Array([1]));
    await bench.clock.settle();
    expect(b.received.length).toBe(1);
    expect(b.bulk.length).toBe(1);
    const answer = await host.request(b.nodeId, 'echo', new Uint8Array([7]), { timeoutMs: 100 });
    expect([...answer]).toEqual([7]);
  });

  test('Z1 a link carries only what its own runs say', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const hostA = await bench.host('A', [a]);
    await bench.host('B', [b]);
    await bench.clock.advance(50);
    // It claims to speak for c, whose run this link did not pin.
    hostA.post([heartbeat('c', 'b'), heartbeat('a', 'b')]);
    hostA.flush();
    hostA.sendBulk(nodeId('c'), b.nodeId, new Uint8Array([1]));
    await bench.clock.advance(10);
    expect(b.received.map(({ message }) => message.from)).toEqual([a.nodeId]);
    expect(b.bulk).toEqual([]);
  });

  test('Z1 a new run of a known replica is told as new, a new link of the same run is not', async () => {
    const bench = new Bench();
    const b = new FakeReplica('b');
    await bench.host('B', [b]);
    const first = await bench.host('A1', [new FakeReplica('a', 'x')]);
    await bench.clock.advance(50);
    bench.network.breakLink('A1', 'B');
    await bench.clock.advance(500);
    await first.close();
    await bench.host('A2', [new FakeReplica('a', 'xx')]);
    await bench.clock.advance(500);
    expect(b.events).toEqual([
      'linked a new',
      'unlinked a',
      'linked a same',
      'unlinked a',
      'linked a new',
    ]);
  });

  test('Z48 a late word of an earlier run closes its link, and nothing is remembered or told', async () => {
    const bench = new Bench();
    const b = new FakeReplica('b');
    const hostB = await bench.host('B', [b]);
    const first = await bench.host('A1', [new FakeReplica('a', 'xxxxxx')]);
    await bench.clock.advance(50);
    await first.close();
    await bench.clock.advance(50);
    const late = await bench.host('A2', [new FakeReplica('a', 'xxxxx')]);
    await bench.clock.advance(150);
    expect(hostB.isLinked(nodeId('a'))).toBe(false);
    expect([bench.codes('B'), hostB.witnesses.refused, b.forks]).toEqual([[], [], []]);
    await late.close();
    await bench.host('A3', [new FakeReplica('a', 'xxxxxxx')]);
    await bench.clock.advance(150);
    expect(hostB.isLinked(nodeId('a'))).toBe(true);
  });

  test('Z48 of runs 5 and 6 of an honest restart the later one is heard, in either order', async () => {
    for (const order of [
      ['xxxxx', 'xxxxxx'],
      ['xxxxxx', 'xxxxx'],
    ]) {
      const bench = new Bench();
      const b = new FakeReplica('b');
      const hostB = await bench.host('B', [b]);
      for (const [i, word] of order.entries()) {
        await bench.host(`A${i}`, [new FakeReplica('a', word)]);
        await bench.clock.advance(50);
        // It is dead, and for B its link is still up: what it said came out of a queue.
        if (word.length === 5) bench.network.hold(`A${i}`, 'B');
      }
      await bench.clock.advance(2_000);
      expect(hostB.linkedRuns().map(({ facts }) => facts.epoch)).toEqual([6]);
      expect([bench.codes('B'), hostB.witnesses.refused]).toEqual([[], []]);
    }
  });

  test('Z48 a higher epoch while the run before it answers is a copy: the newcomer is refused', async () => {
    const bench = new Bench();
    const [b, original, clone] = [
      new FakeReplica('b'),
      new FakeReplica('a', 'xx'),
      new FakeReplica('a', 'xxy'),
    ];
    clone.incumbent = false;
    const hostB = await bench.host('B', [b]);
    await bench.host('A', [original], { meet: false });
    hostB.meet([{ host: 'A', addresses: ['memory:A'] }]);
    await bench.clock.advance(50);
    const copy = await bench.host('Z', [clone], { meet: false });
    copy.meet([{ host: 'B', addresses: ['memory:B'] }]);
    await bench.clock.advance(3_000);
    expect(bench.codes('B')).toContain('REPLICA_CLONED');
    expect(hostB.linkedRuns().map(({ facts }) => facts.nonce)).toEqual(['x2']);
    expect(b.events).toEqual(['linked a new']);
    expect(hostB.witnesses.refused[0]).toMatchObject({
      root: { epoch: 3, nonce: 'y3' },
      host: 'Z',
      insteadHost: 'A',
    });
    // The newcomer is told, by a voter; the original hears that there is another.
    expect(clone.charges[0]).toMatchObject({ by: 'B', byVoter: true, otherHost: 'A' });
    expect(clone.charges[0]?.others).toContainEqual({ epoch: 2, nonce: 'x2' });
    expect([original.events, original.charges]).toEqual([['linked b new'], []]);
    expect(b.forks[0]).toMatchObject({ nodeId: nodeId('a'), host: 'A', otherHost: 'Z' });
  });

  test('Z48 a copy that came while the link of the original blinked gives way to it again', async () => {
    const bench = new Bench();
    const [b, original, clone] = [
      new FakeReplica('b'),
      new FakeReplica('a', 'xx'),
      new FakeReplica('a', 'xxy'),
    ];
    const hostB = await bench.host('B', [b]);
    await bench.host('A', [original]);
    await bench.clock.advance(50);
    bench.network.cut('A', 'B');
    bench.network.breakLink('A', 'B');
    const copy = await bench.host('Z', [clone], { meet: false });
    copy.meet([{ host: 'B', addresses: ['memory:B'] }]);
    await bench.clock.advance(500);
    expect(hostB.linkedRuns().map(({ facts }) => facts.nonce)).toEqual(['y3']);
    bench.network.heal('A', 'B');
    await bench.clock.advance(3_000);
    expect(hostB.linkedRuns().map(({ facts }) => facts.nonce)).toEqual(['x2']);
    expect(hostB.witnesses.refused[0]).toMatchObject({
      root: { epoch: 3, nonce: 'y3' },
      host: 'Z',
    });
    expect(original.charges).toEqual([]);
  });

  test('Z48 two runs of one epoch: the one that was heard before goes on, the other is refused for good', async () => {
    const bench = new Bench();
    const b = new FakeReplica('b');
    const hostB = await bench.host('B', [b]);
    await bench.host('A1', [new FakeReplica('a', 'xx')]);
    await bench.clock.advance(50);
    const second = await bench.host('A2', [new FakeReplica('a', 'xy')], { meet: false });
    second.meet([{ host: 'B', addresses: ['memory:B'] }]);
    await bench.clock.advance(1_000);
    expect(bench.codes('B')).toContain('REPLICA_CLONED');
    expect(b.events).toEqual(['linked a new']);
    await second.close();
    const third = await bench.host('A3', [new FakeReplica('a', 'xyyyyy')], { meet: false });
    third.meet([{ host: 'B', addresses: ['memory:B'] }]);
    await bench.clock.advance(1_000);
    expect(hostB.linkedRuns().map(({ facts }) => facts.nonce)).toEqual(['x2']);
    expect(hostB.witnesses.refused).toMatchObject([{ root: { nonce: 'y2' }, tip: { epoch: 6 } }]);
  });

  test('Z38 a refusal is told on: whoever was away refuses that branch too, at its first word', async () => {
    const bench = new Bench();
    const [b, c] = [new FakeReplica('b'), new FakeReplica('c')];
    await bench.host('B', [b]);
    const first = await bench.host('A1', [new FakeReplica('a', 'xx')]);
    await bench.clock.advance(50);
    await first.close();
    const second = await bench.host('A2', [new FakeReplica('a', 'xy')]);
    await bench.clock.advance(200);
    await second.close();
    const hostC = await bench.host('C', [c]);
    await bench.clock.advance(200);
    expect(hostC.witnesses.refused).toMatchObject([{ root: { epoch: 2, nonce: 'y2' } }]);
    const again = await bench.host('A3', [new FakeReplica('a', 'xyy')], { meet: false });
    again.meet([{ host: 'C', addresses: ['memory:C'] }]);
    await bench.clock.advance(200);
    expect(bench.codes('C')).toContain('REPLICA_CLONED');
    expect(c.events.filter((event) => event.includes(' a '))).toEqual([]);
  });

  test('Z54 who is no voter makes nobody refuse anybody, and his charge is told as such', async () => {
    const bench = new Bench();
    const [b, visitor] = [new FakeReplica('b', 'xy'), new FakeReplica('d')];
    const hostB = await bench.host('B', [b]);
    const liar = await bench.host('D', [visitor], { meet: false });
    for (const [nodeIdOf, word] of [
      [b.nodeId, 'xx'],
      [nodeId('a'), 'zz'],
    ] as const) {
      const run = { ...new FakeReplica('a', word).facts(), nodeId: nodeIdOf };
      liar.witnesses.met(run, 'E');
      liar.witnesses.refuse({ ...run, ...branch('xx') }, 'REPLICA_CLONED', 'E');
      liar.witnesses.holds(nodeIdOf, 2 ** 50);
    }
    liar.meet([{ host: 'B', addresses: ['memory:B'] }]);
    await bench.clock.advance(300);
    expect(hostB.witnesses.refused).toEqual([]);
    expect(b.charges[0]).toMatchObject({ by: 'D', byVoter: false });
    expect(bench.codes('B')).toContain('REPLICA_ROLLED_BACK');
  });

  describe('Z72, within one run', () => {
    /** B heard of A's run what A does not have at its next link. */
    async function relinked(how: {
      readonly lacks: boolean;
      readonly voters: string[];
    }): Promise<{ bench: Bench; a: FakeReplica; hostB: Host }> {
      const bench = new Bench();
      const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
      a.now = { term: 6, votedFor: null, lastIndex: 200 };
      a.voters = how.voters;
      await bench.host('A', [a]);
      const hostB = await bench.host('B', [b]);
      await bench.clock.advance(50);
      hostB.witnesses.heard({ ...heartbeat('a', 'b'), term: 6 });
      hostB.witnesses.holds(a.nodeId, 200);
      if (how.lacks) a.now = { term: 5, votedFor: null, lastIndex: 100 };
      bench.network.breakLink('A', 'B');
      await bench.clock.advance(5_000);
      return { bench, a, hostB };
    }

    test('Z72 a run that has less than it said is not heard, however often it comes, and is told', async () => {
      const { bench, a, hostB } = await relinked({ lacks: true, voters: ['b'] });
      expect(hostB.isLinked(a.nodeId)).toBe(false);
      expect(a.events).toContain('reverted REPLICA_ROLLED_BACK');
      expect(bench.codes('A')).toContain('REPLICA_ROLLED_BACK');
      // It is the same run: no branch of it is refused, and the next one is judged by Z3.
      expect([hostB.witnesses.refused, a.charges]).toEqual([[], []]);
    });

    test('Z72 Z54 only who votes by its own log may end it; others merely are not linked', async () => {
      const { a, hostB } = await relinked({ lacks: true, voters: ['c'] });
      expect(hostB.isLinked(a.nodeId)).toBe(false);
      expect(a.events.filter((event) => event.startsWith('reverted'))).toEqual([]);
    });

    test('Z72 a run that has all that it said is linked again', async () => {
      const { bench, a, hostB } = await relinked({ lacks: false, voters: ['b'] });
      expect(hostB.isLinked(a.nodeId)).toBe(true);
      expect(a.events).toEqual(['linked b new', 'unlinked b', 'linked b same']);
      expect(bench.codes('B')).toEqual([]);
    });

    test('Z72 who lacks what it acknowledged is refused as this run, and heard as the next', async () => {
      const bench = new Bench();
      const [a, b] = [new FakeReplica('a', 'x'), new FakeReplica('b')];
      const hostA = await bench.host('A', [a]);
      const hostB = await bench.host('B', [b]);
      await bench.clock.advance(50);
      hostB.refuse(a.nodeId, 'a rejection below its acknowledgement', true);
      await bench.clock.advance(5_000);
      expect(hostB.isLinked(a.nodeId)).toBe(false);
      expect(a.events).toContain('reverted REPLICA_ROLLED_BACK');
      await hostA.close();
      await bench.host('A', [new FakeReplica('a', 'xx')]);
      await bench.clock.advance(5_000);
      expect(hostB.isLinked(a.nodeId)).toBe(true);
    });
  });

  test('Z72 two that remember of each other what neither has: each is told, and neither waits for the other', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const hostA = await bench.host('A', [a]);
    const hostB = await bench.host('B', [b]);
    await bench.clock.advance(50);
    hostA.refuse(b.nodeId, 'a rejection below its acknowledgement', true);
    hostB.refuse(a.nodeId, 'a rejection below its acknowledgement', true);
    await bench.clock.advance(5_000);
    expect(a.events).toContain('reverted REPLICA_ROLLED_BACK');
    expect(b.events).toContain('reverted REPLICA_ROLLED_BACK');
  });

  test('Z48 a host that runs a replica of this one is a copy: nothing ends here, and others are told', async () => {
    const bench = new Bench();
    const [original, clone] = [new FakeReplica('a', 'xx'), new FakeReplica('a', 'xxy')];
    clone.incumbent = false;
    const host = await bench.host('A', [original]);
    await bench.host('Z', [clone]);
    await bench.clock.advance(300);
    expect(original.charges).toEqual([]);
    expect(original.forks[0]).toMatchObject({ host: 'A', otherHost: 'Z' });
    expect(host.witnesses.refused).toMatchObject([{ root: { epoch: 3, nonce: 'y3' } }]);
  });

  test('F16 another secret: BAD_SECRET on both sides, no link, no event', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const hostA = await bench.host('A', [a]);
    await bench.host('B', [b], { secret: 'other' });
    await bench.clock.advance(90);
    expect(bench.codes('A')).toContain('BAD_SECRET');
    expect(bench.codes('B')).toContain('BAD_SECRET');
    expect(hostA.isLinked(b.nodeId)).toBe(false);
    expect([...a.events, ...b.events]).toEqual([]);
  });

  test('a host that never says hello is let go', async () => {
    const bench = new Bench();
    const host = await bench.host('A', [new FakeReplica('a')]);
    const reasons: string[] = [];
    const mute = bench.network.transport('M');
    await mute.start({
      linkUp: () => undefined,
      linkDown: (_link, reason) => reasons.push(reason),
      frame: () => undefined,
      drained: () => undefined,
    });
    host.meet([{ host: 'M', addresses: mute.addresses() }]);
    await bench.clock.advance(5_200);
    expect(reasons).toContain('no hello');
  });

  test('hosts pass on whom they know: two that never met the same relay find each other', async () => {
    const bench = new Bench();
    const replicas = ['a', 'b', 'c'].map((digit) => new FakeReplica(digit));
    const [a, b, c] = replicas as [FakeReplica, FakeReplica, FakeReplica];
    const hostA = await bench.host('A', [a], { meet: false });
    const hostB = await bench.host('B', [b], { meet: false });
    const hostC = await bench.host('C', [c], { meet: false });
    hostA.meet([{ host: 'C', addresses: ['memory:C'] }]);
    await bench.clock.advance(50);
    hostB.meet([{ host: 'C', addresses: ['memory:C'] }]);
    await bench.clock.advance(200);
    hostC.announce();
    await bench.clock.advance(200);
    expect(hostA.isLinked(b.nodeId)).toBe(true);
    expect(hostB.isLinked(a.nodeId)).toBe(true);
  });

  test('bytes that are no message are dropped and counted, the rest of the cluster goes on', async () => {
    const bench = new Bench();
    const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
    const hostA = await bench.host('A', [a]);
    await bench.host('B', [b]);
    await bench.clock.advance(50);
    const peer = hostA.linkedRuns()[0]?.peer;
    const message = encodeMessage(heartbeat('a', 'b'));
    peer?.send('raft', new Uint8Array([2, 255, 255]));
    peer?.send('raft', new Uint8Array([200, 1]));
    peer?.send('raft', new Uint8Array([message.length, ...message]));
    peer?.send('bulk', new Uint8Array([1, 2, 3]));
    await bench.clock.advance(10);
    expect(bench.codes('B').length).toBeGreaterThanOrEqual(2);
    expect(new Set(bench.codes('B'))).toEqual(new Set(['BAD_REQUEST']));
    expect(b.received.length).toBe(1);
  });

  describe('who is gone', () => {
    const visit = async (bench: Bench): Promise<{ member: FakeReplica; host: Host }> => {
      const member = new FakeReplica('a');
      const host = await bench.host('A', [member]);
      return { member, host };
    };
    const known = (host: Host): string[] => host.acquaintances().map((one) => one.host);

    test('T10 forty visitors that came and went are dialled no more within a minute', async () => {
      const bench = new Bench();
      const { member, host } = await visit(bench);
      member.members = new Set([member.nodeId]);
      for (let turn = 0; turn < 40; turn += 1) {
        const visitor = await bench.host(`V${turn}`, [new FakeReplica('b', 'x'.repeat(turn + 1))]);
        await bench.clock.advance(100);
        await visitor.close();
      }
      expect(known(host).length).toBe(40);
      await bench.clock.advance(60_000);
      expect(known(host)).toEqual([]);
      // And nothing but the next look is due.
      expect(bench.clock.timerCount).toBe(1);
      await host.close();
      expect(bench.clock.timerCount).toBe(0);
    });

    test('T10 a host whose last replica is a member is dialled for ever', async () => {
      const bench = new Bench();
      const { member, host } = await visit(bench);
      const other = new FakeReplica('b');
      member.members = new Set([member.nodeId, other.nodeId]);
      const first = await bench.host('B', [other]);
      await bench.clock.advance(100);
      await first.close();
      await bench.clock.advance(3_600_000);
      expect(known(host)).toEqual(['B']);
      // The replica is seen elsewhere: where it was before, nobody is expected any more.
      await bench.host('C', [new FakeReplica('b', 'xy')]);
      await bench.clock.advance(60_000);
      expect(known(host)).toEqual(['C']);
    });

    test('T10 a configured host, and one that is still listed, are dialled for ever', async () => {
      const bench = new Bench();
      const { member, host } = await visit(bench);
      member.members = new Set([member.nodeId]);
      host.want({ host: 'P', addresses: ['P'] });
      bench.meetingPoint.rendezvous('t').announce({ host: 'L', addresses: ['L'] });
      host.meet([{ host: 'X', addresses: ['X'] }]);
      await bench.clock.advance(600_000);
      expect(known(host).sort()).toEqual(['L', 'P']);
    });

    test('T10 nobody is forgotten while the rendezvous cannot be asked, nor by who cannot know', async () => {
      const bench = new Bench();
      const { member, host } = await visit(bench);
      member.members = new Set([member.nodeId]);
      host.meet([{ host: 'X', addresses: ['X'] }]);
      bench.meetingPoint.setReachable(false);
      await bench.clock.advance(600_000);
      expect(known(host)).toEqual(['X']);
      bench.meetingPoint.setReachable(true);
      await bench.clock.advance(60_000);
      expect(known(host)).toEqual([]);
      const fresh = await bench.host('F', [new FakeReplica('f')], { meet: false });
      fresh.meet([{ host: 'X', addresses: ['X'] }]);
      await bench.clock.advance(600_000);
      expect(known(fresh)).toEqual(['X']);
    });

    test('T10 hosts tell on members and who is there, so that nobody brings the others back', async () => {
      const bench = new Bench();
      const [a, b] = [new FakeReplica('a'), new FakeReplica('b')];
      const absent = new FakeReplica('c');
      for (const one of [a, b]) one.members = new Set([a.nodeId, b.nodeId, absent.nodeId]);
      const hostA = await bench.host('A', [a], { meet: false });
      hostA.remember([
        { host: 'C', addresses: ['memory:C'], runs: [absent.nodeId] },
        { host: 'X', addresses: ['X'], runs: [nodeId('9')] },
      ]);
      const hostB = await bench.host('B', [b], { meet: false });
      hostB.meet([{ host: 'A', addresses: ['memory:A'] }]);
      await bench.clock.advance(1_000);
      expect(hostB.isLinked(a.nodeId)).toBe(true);
      expect(known(hostB).sort()).toEqual(['A', 'C']);
    });

    test('T10 a host that was forgotten is met again when it comes back', async () => {
      const bench = new Bench();
      const { member, host } = await visit(bench);
      member.members = new Set([member.nodeId]);
      const visitor = new FakeReplica('b');
      await (await bench.host('B', [visitor])).close();
      await bench.clock.advance(60_000);
      expect(known(host)).toEqual([]);
      await bench.host('B', [new FakeReplica('b', 'xy')]);
      await bench.clock.advance(1_000);
      expect(host.isLinked(visitor.nodeId)).toBe(true);
    });
  });
});
