/**
 * Random schedules: messages lost, repeated and reordered, disks that lag, crashes that lose what
 * was not durable, snapshots, membership changes. Safety is checked at each step, recovery at the
 * end. A failure names its seed; `CORE_SEED=n` runs that one alone.
 */
import { expect, test } from 'vitest';
import { Prng } from '../src/index.ts';
import type { Entry, Message, NodeId } from '../src/index.ts';
import { Network, bytes, disk, id, membershipEntry, shuffled, text, voters } from './network.ts';
import type { Peer } from './network.ts';

const seeds =
  process.env['CORE_SEED'] === undefined
    ? Array.from({ length: 60 }, (_, i) => i + 1)
    : [Number(process.env['CORE_SEED'])];

test.each(seeds)('seed %i', (seed) => {
  const world = new World(seed);
  for (let i = 0; i < 1500; i++) world.step();
  world.recover();
  world.checkAcknowledged();
  world.count(totals);
});

// Skipped: one schedule alone proves nothing about the lot.
test.runIf(seeds.length > 1)('the schedules above reach every corner', () => {
  expect(totals.commits).toBeGreaterThan(20 * seeds.length);
  expect(totals.terms).toBeGreaterThan(3 * seeds.length);
  expect(totals.reads).toBeGreaterThan(10 * seeds.length);
  expect(totals.changes).toBeGreaterThan(seeds.length);
  expect(totals.installs).toBeGreaterThan(seeds.length / 4);
  expect(totals.truncated).toBeGreaterThan(0);
});

const totals = { commits: 0, terms: 0, reads: 0, changes: 0, installs: 0, truncated: 0 };

class World {
  readonly network = new Network();
  readonly #prng: Prng;
  /** What was seen committed anywhere, by index: state machine safety (figure 3). */
  readonly #committed: Map<number, string> = new Map();
  /** What each peer's state machine was given so far, by index: in order, never twice. */
  readonly #seen: Map<NodeId, number> = new Map();
  /** Reads that wait, with the newest commit anywhere when they were asked. */
  readonly #asked: Map<number, number> = new Map();
  #lastRead = 0;
  #written = 0;
  #answered = 0;
  #changes = 0;
  #trouble = true;
  /** From 1, where hardly anything gets done, to 10, where the odd message is lost. */
  readonly #calm: number;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#calm = 1 + (seed % 10);
    const first = membershipEntry(1, 1, voters(1, 2, 3));
    for (const number of [1, 2, 3]) {
      this.network.add(number, disk([first]), { seed: seed * 10 + number, ...smallWindows });
    }
    for (const number of [4, 5]) this.network.add(number, disk([]), { seed: seed * 10 + number });
    for (const peer of this.network.peers.values()) peer.autoSync = false;
  }

  step(): void {
    const prng = this.#prng;
    const peer = this.#anyPeer();
    switch (prng.between(0, 16)) {
      case 0:
      case 1:
      case 2:
        for (const each of this.network.peers.values()) if (each.up) each.raft.tick();
        break;
      case 3:
        if (peer.up) peer.raft.tick();
        break;
      case 4:
      case 5:
        if (peer.up) peer.raft.propose([bytes(`${this.#written++}`), bytes(`${this.#written++}`)]);
        break;
      case 6:
      case 7:
      case 8:
        if (peer.up && peer.unsynced.length > 0)
          peer.sync(prng.between(1, peer.unsynced.length + 1));
        break;
      case 9:
        if (!peer.up || prng.between(0, 4 * this.#calm) === 0) this.#crash(peer);
        break;
      case 10:
        if (peer.up && prng.between(0, 3) === 0) this.#change(peer);
        break;
      case 11:
        if (peer.up) this.#read(peer);
        break;
      case 12:
        if (peer.up && peer.raft.snapshotMetaAt(peer.appliedIndex) !== null) {
          if (prng.between(0, 3) === 0) peer.compact(prng.between(0, 5));
        }
        break;
      case 13:
        if (peer.up && prng.between(0, 10) === 0)
          peer.raft.transferLeadership(this.#anyPeer().nodeId);
        break;
      case 14:
        if (prng.between(0, 8 * this.#calm) === 0)
          this.network.isolate(prng.between(1, 6), prng.between(1, 6));
        else if (prng.between(0, 3) === 0) this.network.heal();
        break;
      default:
        if (peer.up && prng.between(0, 10 * this.#calm) === 0) peer.raft.campaign();
    }
    this.#deliverSome();
    this.#check();
  }

  /** No more trouble: everybody who is a member ends with one leader and one log. */
  recover(): void {
    const { network } = this;
    this.#trouble = false;
    network.heal();
    for (const peer of network.peers.values()) {
      if (!peer.up) this.#restart(peer);
      peer.autoSync = true;
      peer.sync();
    }
    for (let i = 0; i < 300; i++) {
      for (const peer of network.peers.values()) peer.raft.tick();
      for (let round = 0; round < 5; round++) this.#deliverSome();
      this.#check();
    }
    const { leader } = network;
    expect(leader, 'somebody leads').toBeDefined();
    const { membership, commitIndex, lastEntry, pendingChange } = (leader as Peer).status;
    expect(pendingChange).toBe(false);
    expect(commitIndex).toBe(lastEntry.index);
    for (const nodeId of [...membership.voters, ...membership.learners]) {
      const peer = network.peers.get(nodeId) as Peer;
      expect(peer.status).toMatchObject({ commitIndex, lastEntry, lastApplied: commitIndex });
      expect(peer.status.leader).toBe((leader as Peer).nodeId);
    }
    expect((leader as Peer).status.uncommittedBytes).toBe(0);
  }

  /** Every index that was committed at any time holds the same entry in the end. */
  checkAcknowledged(): void {
    for (const peer of this.network.peers.values()) {
      const { entries } = peer.disk;
      for (let i = 1; i < entries.length; i++) {
        const [before, each] = [entries[i - 1] as Entry, entries[i] as Entry];
        expect(each.index).toBe(before.index + 1);
        expect(each.term).toBeGreaterThanOrEqual(before.term);
      }
    }
    const { leader } = this.network;
    const kept = new Map((leader as Peer).disk.entries.map((each) => [each.index, describe(each)]));
    for (const [index, committed] of this.#committed) {
      if (kept.has(index)) expect(kept.get(index)).toBe(committed);
    }
  }

  count(into: typeof totals): void {
    const { status } = this.network.leader as Peer;
    into.commits += status.commitIndex;
    into.terms += status.term;
    into.reads += this.#answered;
    into.changes += this.#changes;
    for (const peer of this.network.peers.values()) {
      into.installs += peer.installed;
      into.truncated += peer.truncated.length;
    }
  }

  #anyPeer(): Peer {
    return this.network.peer(this.#prng.between(1, 6));
  }

  #crash(peer: Peer): void {
    if (!peer.up) this.#restart(peer);
    else {
      peer.up = false;
      // Its reads die with it; messages of this run never reach the next one (Z1).
      peer.reads = [];
      this.network.queue = this.network.queue.filter(
        ({ from, to }) => from !== peer.nodeId && to !== peer.nodeId,
      );
    }
  }

  #restart(peer: Peer): void {
    peer.restart();
    this.#seen.set(peer.nodeId, peer.appliedIndex);
    for (const other of this.network.peers.values()) {
      if (other.up) other.raft.resetProgress(peer.nodeId);
    }
  }

  #change(peer: Peer): void {
    const pool = shuffled([1, 2, 3, 4, 5].map(id), this.#prng);
    const voterCount = this.#prng.between(1, 4);
    const learnerCount = this.#prng.between(0, 3);
    const result = peer.raft.proposeChange({
      membership: {
        voters: pool.slice(0, voterCount),
        learners: pool.slice(voterCount, voterCount + learnerCount),
      },
      expectedIndex: peer.status.membershipIndex,
      context: new Uint8Array(0),
    });
    if (result.ok) this.#changes++;
  }

  #read(peer: Peer): void {
    const requestId = ++this.#lastRead;
    const newest = Math.max(
      0,
      ...[...this.network.peers.values()].map((each) => each.appliedIndex),
    );
    this.#asked.set(requestId, newest);
    peer.raft.readIndex(requestId);
  }

  #deliverSome(): void {
    const { network } = this;
    const prng = this.#prng;
    network.collect();
    for (const peer of network.peers.values()) this.#stream(peer);
    const reorder = this.#trouble && prng.between(0, this.#calm) === 0;
    const queue = reorder ? shuffled(network.queue, prng) : network.queue;
    const delay = this.#trouble && prng.between(0, 3) === 0;
    const now = delay ? prng.between(0, queue.length + 1) : queue.length;
    network.queue = queue.slice(now);
    for (const message of queue.slice(0, now)) {
      if (this.#trouble && prng.between(0, 12 * this.#calm) === 0) continue;
      if (this.#trouble && prng.between(0, 12 * this.#calm) === 0) network.queue.push(message);
      network.deliver(message);
    }
    network.collect();
  }

  #stream(peer: Peer): void {
    for (const to of peer.snapshotsTo.splice(0)) {
      const { snapshot: meta, term, role } = peer.status;
      if (role !== 'leader' || meta === null) continue;
      const ok = !this.#trouble || this.#prng.between(0, 4) > 0;
      const message: Message = { type: 'InstallSnapshot', from: peer.nodeId, to, term, meta };
      if (ok) this.network.queue.push(message);
      peer.raft.reportSnapshot(to, ok);
    }
  }

  #check(): void {
    for (const peer of this.network.peers.values()) {
      if (peer.fatal !== null) throw new Error(peer.fatal);
      // Nobody lies here; what comes late may look as if something had been forgotten (Z72).
      const lie = peer.refused.find((each) => each.startsWith('contradiction'));
      if (lie !== undefined) throw new Error(lie);
      for (const entry of peer.applied.splice(0)) {
        const known = this.#committed.get(entry.index);
        if (known === undefined) this.#committed.set(entry.index, describe(entry));
        else if (describe(entry) !== known) throw new Error(`${describe(entry)} is not ${known}`);
        if (entry.index <= (this.#seen.get(peer.nodeId) ?? 0)) {
          throw new Error(`${entry.index} applied twice`);
        }
        this.#seen.set(peer.nodeId, entry.index);
      }
      for (const { requestId, index } of peer.reads.splice(0)) {
        if (index === null) continue;
        this.#answered++;
        // Linearizable: whatever was applied anywhere before the question is in the answer.
        expect(index).toBeGreaterThanOrEqual(this.#asked.get(requestId) ?? Infinity);
      }
    }
  }
}

function describe(entry: Entry): string {
  return `${entry.term}/${entry.type}/${entry.type === 'normal' ? text(entry.data) : ''}`;
}

const smallWindows = { inflightCountMax: 3, appendBytesMax: 12, applyBytesMax: 10 };
