/**
 * The core alone: machines in one process, their disks and network immediate. What is left is the cost
 * of the algorithm.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Raft, encodeMembershipEntry, plainMembership } from '@quorate/core';
import type { Message } from '@quorate/core';
import { median, rounded, table } from './figures.ts';

const rounds = 5;
const proposalCount = 200_000;
const data = new Uint8Array(100);

export function benchCore(): void {
  benchProposals();
  benchHeartbeats();
  benchMemory();
}

function benchProposals(): void {
  const rows: string[][] = [];
  proposalsPerSecond(64);
  let base = 0;
  for (const inFlight of [1, 64, 256, 1_024]) {
    const perSecond = medianOf(() => proposalsPerSecond(inFlight));
    base = base === 0 ? perSecond : base;
    rows.push([String(inFlight), rounded(perSecond), `${(perSecond / base).toFixed(1)} ×`]);
  }
  console.log(
    '\nProposals of 100 B, one by one, committed and applied by three cores in one process',
  );
  console.log(table(['in flight', 'proposals/s', 'to 1'], rows));
}

/** Each proposal is a call of its own; `inFlight` of them gather before anything is sent. */
function proposalsPerSecond(inFlight: number): number {
  const world = new World(3);
  const count = inFlight === 1 ? proposalCount / 10 : proposalCount;
  const startedAt = performance.now();
  for (let done = 0; done < count; done += inFlight) {
    for (let i = 0; i < inFlight; i++) world.leader.propose([data]);
    world.settle();
  }
  return count / ((performance.now() - startedAt) / 1_000);
}

function benchHeartbeats(): void {
  const rows: string[][] = [];
  roundUs(3, 1_000);
  for (const size of [3, 5, 50]) {
    const us = medianOf(() => roundUs(size, size > 5 ? 2_000 : 20_000));
    rows.push([String(size), us.toFixed(2), (us / (size - 1)).toFixed(2)]);
  }
  console.log('\nA round of heartbeats: the leader ticks, all answer, nothing else is to be done');
  console.log(table(['voters', 'µs a round', 'µs a follower'], rows));
}

function roundUs(size: number, count: number): number {
  const world = new World(size, 1);
  const startedAt = performance.now();
  for (let i = 0; i < count; i++) {
    world.leader.tick();
    world.settle();
  }
  return ((performance.now() - startedAt) * 1_000) / count;
}

function benchMemory(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const measured = Array.from({ length: rounds }, () => bytesAnEntry(gc));
  const perEntry = median(measured);
  const all = rounded((perEntry * 100_000) / 2 ** 20);
  console.log(`\n100,000 entries in the log of a machine: ${all} MiB beside their data`);
  console.log(`(${perEntry.toFixed(0)} B an entry, the array's spare room included)`);
}

/** Bytes of the heap that one more entry costs, without its data. */
function bytesAnEntry(gc: () => void): number {
  const count = 100_000;
  const world = new World(1);
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let done = 0; done < count; done += 1_000) {
    world.leader.propose(Array.from({ length: 1_000 }, () => data));
    world.settle(Infinity);
  }
  gc();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  if (world.leader.status().lastEntry.index < count) throw new Error('The log is too short');
  return bytes;
}

function medianOf(measure: () => number): number {
  return median(Array.from({ length: rounds }, measure));
}

class World {
  readonly leader: Raft;
  readonly #machines = new Map<string, Raft>();

  constructor(size: number, heartbeatTicks: number = 2) {
    const ids = Array.from({ length: size }, (_, i) => (i + 1).toString(16).padStart(32, '0'));
    const membership = plainMembership({ voters: ids, learners: [] });
    const entry = {
      term: 1,
      index: 1,
      type: 'membership' as const,
      data: encodeMembershipEntry(membership, new Uint8Array(0)),
    };
    ids.forEach((nodeId, seed) => {
      this.#machines.set(
        nodeId,
        new Raft(
          { nodeId, seed, heartbeatTicks },
          {
            hardState: { currentTerm: 1, votedFor: null, commitIndex: 1 },
            snapshot: null,
            entries: [entry],
            appliedIndex: 1,
          },
        ),
      );
    });
    const [first] = this.#machines.values();
    if (first === undefined) throw new Error('No machine was made');
    this.leader = first;
    first.campaign();
    this.settle();
    if (first.status().role !== 'leader') throw new Error('The first machine did not win');
  }

  /** Until nobody has anything to do. Logs keep up to `entriesMax` entries. */
  settle(entriesMax: number = 20_000): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const machine of this.#machines.values()) {
        for (let ready = machine.ready(); ready !== null; ready = machine.ready()) {
          busy = true;
          if (ready.persist !== null) machine.persisted(ready.persist.number);
          for (const message of ready.messages) this.#deliver(message);
          const last = ready.committed.at(-1);
          if (last === undefined) continue;
          machine.applied(last.index);
          // Logs would grow without end: a snapshot every so often, as a driver does.
          if (last.index - machine.status().firstIndex >= entriesMax) compact(machine, last.index);
        }
      }
    }
  }

  #deliver(message: Message): void {
    this.#machines.get(message.to)?.step(message);
  }
}

function compact(machine: Raft, lastApplied: number): void {
  const meta = machine.snapshotMetaAt(lastApplied);
  if (meta !== null) machine.compact(meta, lastApplied - 5_000);
}
