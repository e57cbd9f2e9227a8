/**
 * Several hosts of a world in one page (decision 21): one event loop, so that they stand still and die
 * together, and look at each other in memory.
 */
import { Neighbours } from '@quorate/cluster';
import type { Member } from '@quorate/cluster';
import type { Message, NodeId } from '@quorate/core';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';
import { violated } from './violation.ts';
import type { VirtualNetwork } from './virtual-network.ts';

/** A host of the world, as far as its page is concerned. */
export type PageHost = {
  readonly id: string;
  readonly nodeId: NodeId | null;
  readonly page: Page | null;
  readonly process: {
    readonly member: Member;
    readonly clock: ProcessClock;
    readonly leads: { readonly term: number; readonly sinceAwakeMs: number } | null;
  } | null;
  crash(): void;
};

/** What a page needs of its world. */
export type PageWorld = {
  readonly clock: VirtualClock;
  readonly hosts: readonly PageHost[];
  readonly network: VirtualNetwork;
  start(host: PageHost): void;
  count(what: string): void;
  note(what: string): void;
};

export class Page {
  /** Of its present life. */
  neighbours: Neighbours = new Neighbours();
  readonly #world: PageWorld;
  readonly #prng: Prng;
  #frozenAt: number | null = null;
  #frozenMs = 0;
  /** The term that may not change any more; null before there is one. */
  #term: number | null = null;
  #over = false;

  constructor(world: PageWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  /** Lets it stand still, die and lose links at random intervals of such means, until `end`; 0: never. */
  begin(pauseEveryMs: number, deathEveryMs: number, cutEveryMs: number): void {
    this.#repeat(pauseEveryMs, () => this.#pause(this.#prng.pick([1, 1, 2, 5])));
    this.#repeat(deathEveryMs, () => this.#die());
    this.#repeat(cutEveryMs, () => this.#cut());
  }

  end(): void {
    this.#over = true;
    this.#thaw();
  }

  /** Milliseconds for which it did not stand still. */
  get awakeMs(): number {
    const now = this.#world.clock.now();
    return now - this.#frozenMs - (this.#frozenAt === null ? 0 : now - this.#frozenAt);
  }

  /** From now on, with every voter in this page, its lateness is the only trouble there is (Z44). */
  settle(term: number): void {
    this.#term ??= term;
  }

  /** T11: a page that stood still with all voters in it elects nobody. */
  checkTerm(id: string, { status }: Member): void {
    const { term } = status.raft;
    if (this.#term === null || term <= this.#term) return;
    const text = `${id} is in term ${term}, and only lateness can have ended term ${this.#term} (Z44)`;
    violated('lateness', text);
  }

  /** Z61: nobody here follows a neighbour that leads no more, from the very step on in which it ended. */
  checkLeaders(): void {
    const statuses = this.#hosts.flatMap(({ id, process }) =>
      process === null ? [] : [{ id, ...process.member.status }],
    );
    for (const { id, raft } of statuses) {
      const leader = statuses.find(({ nodeId }) => nodeId !== undefined && nodeId === raft.leader);
      if (leader === undefined || !isMistaken(leader.raft.role)) continue;
      if (leader.phase === 'stopped') continue;
      const text = `${id} follows ${leader.id}, in the same page, which is a ${leader.raft.role} (Z61)`;
      violated('neighbours', text);
    }
  }

  /** Z61: nobody asks for pre-votes while a neighbour leads, and has led for as long as a turn takes. */
  checkSent({ type, from, term }: Message): void {
    const hosts = this.#hosts;
    if (type !== 'PreVote' || !hosts.some(({ nodeId }) => nodeId === from)) return;
    for (const { process, nodeId, id } of hosts) {
      if (process === null || nodeId === from) continue;
      const { raft } = process.member.status;
      const since = process.leads?.term === raft.term ? process.leads.sinceAwakeMs : this.awakeMs;
      const isSeen = this.awakeMs - since >= turnMsMax;
      if (raft.role !== 'leader' || raft.term < term - 1 || !isSeen) continue;
      const text = `${from} stands for term ${term} while ${id}, in the same page, leads term ${raft.term} (Z61)`;
      violated('neighbours', text);
    }
  }

  get #hosts(): PageHost[] {
    return this.#world.hosts.filter(({ page }) => page === this);
  }

  /** It computes, draws a moment's breath, and computes again. */
  #pause(times: number): void {
    if (this.#frozenAt !== null || this.#over) return;
    this.#world.count('pauses of a page');
    this.#world.note('page stands still');
    this.#frozenAt = this.#world.clock.now();
    for (const { process } of this.#hosts) process?.clock.freeze();
    this.#later(this.#prng.between(700, 3_000), () => {
      this.#thaw();
      if (times > 1) this.#later(this.#prng.between(1, 30), () => this.#pause(times - 1));
    });
  }

  #thaw(): void {
    if (this.#frozenAt === null) return;
    this.#frozenMs += this.#world.clock.now() - this.#frozenAt;
    this.#frozenAt = null;
    for (const { process } of this.#hosts) process?.clock.thaw();
  }

  #die(): void {
    this.#world.count('deaths of a page');
    this.#world.note('page dies');
    this.#thaw();
    for (const host of this.#hosts) host.crash();
    this.neighbours = new Neighbours();
    this.#later(this.#prng.between(10, this.#prng.pick([100, 3_000, 15_000])), () => {
      for (const host of this.#hosts) this.#world.start(host);
    });
  }

  /**
   * Whoever leads here hears nobody any more, and must step down (story 15); or only its neighbours do
   * not hear it, and see that it leads.
   */
  #cut(): void {
    const leader = this.#world.hosts.find(
      ({ process }) => process?.member.status.raft.role === 'leader',
    );
    if (leader?.page !== this) {
      // First one of its own has to lead.
      const { nodeId } = this.#prng.pick(this.#hosts);
      if (nodeId !== null) leader?.process?.member.yieldLeadership([nodeId]);
      return;
    }
    this.#world.count('cuts of a page');
    this.#world.note('page loses links');
    const { network } = this.#world;
    const others = (this.#prng.chance(0.5) ? this.#world.hosts : this.#hosts).filter(
      (host) => host !== leader,
    );
    const set = (isCut: boolean): void => {
      for (const { id } of others) {
        network.setCut(id, leader.id, isCut);
        network.setCut(leader.id, id, isCut);
      }
    };
    set(true);
    this.#later(this.#prng.between(3_000, 6_000), () => set(false));
  }

  #repeat(everyMs: number, callback: () => void): void {
    if (everyMs === 0) return;
    this.#later(this.#prng.between(0.2, 1.8) * everyMs, () => {
      callback();
      this.#repeat(everyMs, callback);
    });
  }

  #later(delayMs: number, callback: () => void): void {
    this.#world.clock.setTimeout(() => {
      if (!this.#over) callback();
    }, delayMs);
  }
}

/** What was decided in a turn leaves at its end, after a sync of a prompt disk at most. */
const turnMsMax = 100;

/** A replica that takes part, and does not lead. */
function isMistaken(role: string): boolean {
  return role !== 'leader' && role !== 'none';
}
