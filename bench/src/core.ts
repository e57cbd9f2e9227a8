/** The core alone: three machines in one process, their disks and network immediate. */
import { Raft, encodeMembershipEntry, plainMembership } from '@quorate/core';
import type { Message } from '@quorate/core';
import { median, rounded, table } from './figures.ts';

const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(32));
const rounds = 5;
const proposalCount = 100_000;
const data = new Uint8Array(100);

export function benchCore(): void {
  const rows: string[][] = [];
  measure(64);
  let base = 0;
  for (const inFlight of [1, 64, 256, 1_024]) {
    const results: number[] = [];
    for (let i = 0; i < rounds; i++) results.push(measure(inFlight));
    const perSecond = median(results);
    base = base === 0 ? perSecond : base;
    rows.push([String(inFlight), rounded(perSecond), `${(perSecond / base).toFixed(1)} ×`]);
  }
  console.log('\nProposals of 100 B committed by three cores in one process, all in memory');
  console.log(table(['in flight', 'proposals/s', 'to 1'], rows));
}

/** Proposals a second with batches of `inFlight`. */
function measure(inFlight: number): number {
  const world = new Trio();
  const count = inFlight === 1 ? proposalCount / 10 : proposalCount;
  const startedAt = performance.now();
  for (let done = 0; done < count; done += inFlight) {
    world.leader.propose(Array.from({ length: inFlight }, () => data));
    world.settle();
  }
  return count / ((performance.now() - startedAt) / 1_000);
}

class Trio {
  readonly leader: Raft;
  readonly #machines = new Map<string, Raft>();

  constructor() {
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
          { nodeId, seed },
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

  /** Until nobody has anything to do. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const machine of this.#machines.values()) {
        for (let ready = machine.ready(); ready !== null; ready = machine.ready()) {
          busy = true;
          if (ready.persist !== null) machine.persisted(ready.persist.number);
          for (const message of ready.messages) this.#deliver(message);
          const last = ready.committed.at(-1);
          if (last !== undefined) machine.applied(last.index);
        }
      }
      // Logs would grow without end: a snapshot every so often, as a driver does.
      for (const machine of this.#machines.values()) this.#compact(machine);
    }
  }

  #deliver(message: Message): void {
    this.#machines.get(message.to)?.step(message);
  }

  #compact(machine: Raft): void {
    const { lastApplied, firstIndex } = machine.status();
    if (lastApplied - firstIndex < 20_000) return;
    const meta = machine.snapshotMetaAt(lastApplied);
    if (meta !== null) machine.compact(meta, lastApplied - 5_000);
  }
}
