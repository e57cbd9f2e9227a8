/**
 * Refusals that last, with whole members (Z38, Z48, Z54, Z55): copies that are laid over a disk, at
 * their first start and at every later one, and copies that run beside their originals.
 */
import { createPlainCipher, createPlainSigner, MemoryStorage } from '@quorate/contracts/memory';
import type { MemoryDisk } from '@quorate/contracts/memory';
import { describe, expect, test } from 'vitest';
import { Host } from '../src/links/host.ts';
import type { RunFacts } from '../src/links/hello.ts';
import type { HostedReplica } from '../src/links/hosted-replica.ts';
import type { Member } from '../src/member/member.ts';
import { seededBytes } from './manual-clock.ts';
import { voters, World } from './world.ts';

const three = ['l1', 'l2', 'l3'] as const;
type Three = [Member, Member, Member];
/** Z39: what ends a replica with a key is what another branch of it signed, and nobody's bare word. */
const kinds = [
  ['with random ids', () => new World()],
  ['with keys', () => new World({}, createPlainSigner())],
] as const;

/** Started again, and linked to nobody in particular. */
function start(world: World, ...names: readonly string[]): Member[] {
  const members = names.map((name) => world.member(name));
  for (const member of members) void member.start();
  return members;
}

async function stop(world: World, ...members: readonly Member[]): Promise<void> {
  for (const member of members) await world.wait(member.close());
}

async function stopped(world: World, member: Member): Promise<string | null> {
  await world.until(() => member.status.phase === 'stopped', 30_000);
  // Whatever it has to write before its process ends.
  await world.wait(member.close());
  return member.status.reason;
}

/** T1 up to the moment in which the copy lies over l1: what l3 has not is K and K2. */
async function t1(world: World): Promise<{ copy: MemoryDisk; l3: Member }> {
  const [l1, l2, l3] = (await world.cluster(three)) as Three;
  await world.append(l1, 'before');
  await world.clock.advance(2_000);
  await stop(world, l1);
  const copy = world.image(l1);
  const [again] = start(world, 'l1') as [Member];
  await world.ready([again]);
  await world.clock.advance(2_000);
  await stop(world, l3);
  await world.append(again, 'K');
  await world.append(again, 'K2');
  await stop(world, l2, again);
  world.layOver('l1', copy);
  const [third] = start(world, 'l3') as [Member];
  return { copy, l3: third };
}

describe.each(kinds)('T1, a refusal lasts, replicas %s', (_, newWorld) => {
  test('T1 Z38 a copy laid over a voter is refused at its first, second and tenth start, and K is read when l2 is back', async () => {
    const world = newWorld();
    const { l3 } = await t1(world);
    for (let count = 1; count <= 10; count++) {
      const [l1] = start(world, 'l1') as [Member];
      expect(await stopped(world, l1)).toBe('REPLICA_CLONED');
    }
    await world.until(() => l3.status.phase === 'read-only', 30_000);
    const [l2] = start(world, 'l2') as [Member];
    await world.ready([l2, l3]);
    expect(await world.read(l2)).toEqual(['before', 'K', 'K2']);
    const [l1] = start(world, 'l1') as [Member];
    expect(await stopped(world, l1)).toBe('REPLICA_CLONED');
    expect(await world.read(l3)).toEqual(['before', 'K', 'K2']);
  });

  test('T1 Z38 the store itself refuses: a marked replica reaches no network, and its epoch stays', async () => {
    const world = newWorld();
    await t1(world);
    const [l1] = start(world, 'l1') as [Member];
    await stopped(world, l1);
    const { run } = world.disk(l1).contents;
    expect(run).toMatchObject({ epoch: 2, mark: { code: 'REPLICA_CLONED' } });
    expect(run?.mark?.message).toMatch(/another run 2 of it is known.*, says l3-/);
    const alone = world.member('l1', {
      network: () => Promise.reject(new Error('a marked replica meets nobody')),
    });
    void alone.start();
    expect(await stopped(world, alone)).toBe('REPLICA_CLONED');
    expect(world.disk(alone).contents.run).toEqual(run);
  });

  test('T1 Z38 the copy laid over it again, without its mark: those who refused it remember', async () => {
    const world = newWorld();
    const { copy } = await t1(world);
    for (let count = 1; count <= 4; count++) {
      world.layOver('l1', copy);
      const [l1] = start(world, 'l1') as [Member];
      expect(await stopped(world, l1)).toMatch(/^REPLICA_/);
    }
  });

  test('T1 Z38 Z54 after 300 visitors and a restart of the witness', async () => {
    const world = newWorld();
    const { l3 } = await t1(world);
    await world.clock.advance(500);
    await visit(world, 300);
    await world.clock.advance(2_000);
    await stop(world, l3);
    start(world, 'l3');
    await world.clock.advance(500);
    const [l1] = start(world, 'l1') as [Member];
    expect(await stopped(world, l1)).toBe('REPLICA_CLONED');
  });

  test('T1 Z48 the status of who refused it names the replica and both hosts', async () => {
    const world = newWorld();
    const { l3 } = await t1(world);
    const [l1] = start(world, 'l1') as [Member];
    await stopped(world, l1);
    const { forks } = l3.status;
    expect(forks).toMatchObject([{ label: 'l1', nodeId: world.disk(l1).contents.run?.nodeId }]);
    expect(forks[0]?.hosts[1]).toBe(world.host(l1));
    expect(forks[0]?.hosts[0]).toMatch(/^l1-/);
  });
});

describe.each(kinds)('Z48, a clone of all meets its original, replicas %s', (_, newWorld) => {
  /** Copies of all disks are started beside the originals, with the same secret and network. */
  async function cloned(world: World, names: readonly string[]): Promise<Member[]> {
    const originals = await world.cluster(names);
    await world.append(originals[0] as Member, 'before');
    await world.clock.advance(2_000);
    return originals;
  }

  function startClones(world: World, originals: readonly Member[]): Member[] {
    const names = originals.map((member, i) => {
      world.layOver(`clone-${i}`, world.image(member));
      return `clone-${i}`;
    });
    return start(world, ...names);
  }

  test('Z48 T1 idle: the originals never stop, go on writing, and say where the copies are', async () => {
    const world = newWorld();
    const originals = await cloned(world, three);
    const clones = startClones(world, originals);
    await world.clock.advance(20_000);
    for (const member of originals) {
      expect(member.status.phase).toBe('ready');
      expect(member.failure).toBeNull();
    }
    await world.append(world.leader(originals), 'after');
    for (const member of originals) expect(await world.read(member)).toEqual(['before', 'after']);
    const seen = originals.flatMap(({ status }) => status.forks.flatMap(({ hosts }) => hosts));
    for (const clone of clones) expect(seen).toContain(world.host(clone));
    for (const member of originals) expect(seen).toContain(world.host(member));
  });

  test('Z48 T1 under load: each write of the originals is taken, and none of theirs is lost', async () => {
    const world = newWorld();
    const originals = await cloned(world, three);
    startClones(world, originals);
    const lines = ['before'];
    for (let count = 1; count <= 60; count++) {
      const text = `line ${count}`;
      await world.append(originals[count % 3] as Member, text);
      lines.push(text);
      await world.clock.advance(100);
    }
    for (const member of originals) {
      expect(member.failure).toBeNull();
      expect(await world.read(member)).toEqual(lines);
    }
  });

  test('Z48 T1 originals that restart one after another are let in again, for the copies are refused', async () => {
    const world = newWorld();
    const originals = await cloned(world, three);
    startClones(world, originals);
    await world.clock.advance(10_000);
    const members = [...originals];
    for (const [i, name] of three.entries()) {
      await stop(world, members[i] as Member);
      const [again] = start(world, name) as [Member];
      members[i] = again;
      await world.ready(members);
      await world.append(again, name);
    }
    expect(await world.read(members[0] as Member)).toEqual(['before', ...three]);
  });
});

describe.each(kinds)('Z55, the seat of a replica that was refused, replicas %s', (_, newWorld) => {
  /** Starts `name` as a page does: a new replica begins in the next store, and never over a marked one. */
  function startInSlot(world: World, name: string): { member: Member; disks: MemoryDisk[] } {
    const disks: MemoryDisk[] = [];
    const first = world.member(name);
    const member = world.member(name, {
      beginsAnew: true,
      createStorage: (at) => {
        disks[at] ??= at === 0 ? world.disk(first) : world.spareDisk(`${name}#${at + 1}`);
        return new MemoryStorage(disks[at]);
      },
    });
    void member.start();
    return { member, disks };
  }

  test('T1 Z55 a voter: the new replica in the slot takes its seat, then its store is marked as given up', async () => {
    const world = newWorld();
    const { l3 } = await t1(world);
    const [l2] = start(world, 'l2') as [Member];
    await world.ready([l2, l3]);
    const refused = start(world, 'l1')[0] as Member;
    expect(await stopped(world, refused)).toBe('REPLICA_CLONED');
    const { nodeId } = world.disk(refused).contents.run ?? { nodeId: '' };
    const slot = startInSlot(world, 'l1');
    const seats = (): string[] => l3.status.members.map((one) => one.nodeId);
    await world.until(() => slot.member.status.phase === 'ready');
    expect(seats()).toContain(nodeId);
    await world.until(() => !seats().includes(nodeId), 60_000);
    expect(voters(l3)).toEqual(['l1', 'l2', 'l3']);
    await world.until(() => slot.disks[0]?.contents.run?.mark?.seatGivenUp === true);
    // Its log is as it was, and its run too: nobody ran it.
    expect(slot.disks[0]?.contents).toMatchObject({
      archives: new Map(),
      run: { nodeId, epoch: 2 },
    });
    expect(await world.read(slot.member)).toEqual(['before', 'K', 'K2']);
  });

  test('Z55 the next replica of the slot that is refused: the first one is archived, and its store used again', async () => {
    const world = newWorld();
    const { l3 } = await t1(world);
    const [l2] = start(world, 'l2') as [Member];
    await world.ready([l2, l3]);
    await stopped(world, start(world, 'l1')[0] as Member);
    const first = startInSlot(world, 'l1');
    await world.until(() => first.disks[0]?.contents.run?.mark?.seatGivenUp === true, 90_000);
    const refusedId = first.disks[0]?.contents.run?.nodeId;
    await stop(world, first.member);
    const storage = new MemoryStorage(first.disks[1]);
    const topics = [world.cipher().topic];
    await storage.open({
      create: false,
      newNodeId: '00'.repeat(16),
      nonce: '00'.repeat(8),
      topics,
    });
    await storage.mark({
      ...{ code: 'REPLICA_CLONED', message: 'as a test', others: [], seatGivenUp: false },
    });
    await storage.close();
    const second = startInSlot(world, 'l1');
    await world.until(() => second.member.status.phase === 'ready', 30_000);
    expect(second.disks[0]?.contents.run).toMatchObject({ epoch: 1, mark: null });
    const archive = second.disks[0]?.contents.archives.get('refused');
    expect(archive?.run?.nodeId).toBe(refusedId);
    await stop(world, second.member);
    // From then on it is the first that is not marked.
    const third = startInSlot(world, 'l1');
    await world.until(() => third.member.status.phase === 'ready', 30_000);
    expect(third.disks[0]?.contents.run?.epoch).toBe(2);
  });

  test('Z55 a learner: its seat is given up at once, and a Node member stays stopped', async () => {
    const world = newWorld();
    const members = await world.cluster(['l1', 'l2', 'l3', 'l4']);
    const [learner] = members.filter(
      ({ status }) => !voters(members[0] as Member).includes(status.label),
    );
    if (learner === undefined) throw new Error('nobody only listens');
    const { label, nodeId } = learner.status;
    const rest = members.filter((member) => member !== learner);
    await world.clock.advance(2_000);
    await stop(world, learner);
    const image = world.image(learner);
    const [again] = start(world, label) as [Member];
    await world.ready([again]);
    await world.append(again, 'swore this');
    await world.clock.advance(2_000);
    await stop(world, again);
    const before = world.clock.now();
    world.layOver(label, image);
    const [refused] = start(world, label) as [Member];
    expect(await stopped(world, refused)).toMatch(/^REPLICA_/);
    const seats = (): (string | null)[] =>
      world.leader(rest).status.members.map((one) => one.nodeId);
    await world.until(() => !seats().includes(nodeId), 20_000);
    expect(world.clock.now() - before).toBeLessThan(20_000);
    expect(await stopped(world, start(world, label)[0] as Member)).toMatch(/^REPLICA_/);
    expect(seats()).not.toContain(nodeId);
  });
});

describe.each(kinds)('Z55, a branch ahead of a whole quorum, replicas %s', (_, newWorld) => {
  test('Z55 all voters reverted, one page left: they go on, say so and name recover', async () => {
    const world = newWorld();
    const voters = await world.cluster(three);
    const page = world.member('page', { mayVote: false });
    void page.start();
    await world.ready([page]);
    await world.append(page, 'before');
    await world.clock.advance(2_000);
    const images = voters.map((member) => world.image(member));
    await stop(world, ...voters);
    const second = start(world, ...three);
    await world.ready([...second, page]);
    await world.append(page, 'lost');
    await world.clock.advance(2_000);
    await stop(world, ...second);
    for (const [i, name] of three.entries()) world.layOver(name, images[i] as MemoryDisk);
    const reverted = start(world, ...three) as Three;
    await world.ready(reverted);
    await world.append(reverted[0], 'after');
    expect(await world.read(reverted[1])).toEqual(['before', 'after']);
    await world.clock.advance(10_000);
    for (const { failure, status } of reverted) {
      expect(failure).toBeNull();
      expect(status.message).toMatch(/Two copies of this member are about.*recover\(\)/);
    }
    // The page follows nobody whose past it does not know, and shows what it has.
    expect(page.failure).toBeNull();
    expect(world.log(page)).toEqual(['before', 'lost']);
  });
});

/** So many durable replicas of visitors say hello, and go. */
async function visit(world: World, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    const random = { nodeId: n.toString(16).padStart(32, '0'), key: null };
    const { nodeId, key } = world.signedRuns?.create(seededBytes(1_000 + n)) ?? random;
    const run = { nodeId, epoch: 1, nonce: nodeId.slice(16), past: [], givenUp: [] };
    const facts: RunFacts = {
      ...run,
      ...{ clusterId: null, generation: 0, label: 'visitor', durable: true },
      opening: { term: 0, votedFor: null, lastIndex: 0 },
      proof: world.signedRuns?.proof(key, run, `visitor-${n}`) ?? null,
    };
    const replica: HostedReplica = {
      nodeId,
      facts: () => facts,
      leader: () => null,
      returns: () => null,
      cluster: () => null,
      receive: () => undefined,
      receiveBulk: () => undefined,
      linked: () => undefined,
      unlinked: () => undefined,
      knowsVoter: () => false,
      isIncumbent: () => false,
      present: () => facts.opening,
      reverted: () => undefined,
      disowned: () => undefined,
      forkSeen: () => undefined,
      answer: () => Promise.resolve(new Uint8Array()),
    };
    const cipher = createPlainCipher({ namespace: 'test', secrets: ['secret'], strict: true });
    const host = new Host({
      transport: world.network.transport(`visitor-${n}`),
      cipher,
      clock: world.clock,
      random: seededBytes(n),
      rendezvous: world.meetingPoint.rendezvous(cipher.topic),
      onRefused: () => undefined,
      onBroken: () => undefined,
      onChange: () => undefined,
    });
    host.add(replica);
    await host.start();
    await world.clock.advance(20);
    await host.close();
  }
}
