/**
 * Whoever pretends to be a member: a copy of a disk that is opened beside the original, hellos of runs
 * that are over, visitors by the hundred, and liars. None of them may be heard, and none of them may
 * stop or lock out anybody who is honest (Z38, Z48, Z54).
 */
import { hexFromBytes, pastCountMax } from '@quorate/contracts';
import type { RandomBytes, StateMachine, StoredRun } from '@quorate/contracts';
import type { Member } from '@quorate/cluster';
import { KvStateMachine } from '@quorate/kv';
import { Ghost, factsOf, formerOf, freshRun } from './ghost.ts';
import type { Prng } from './prng.ts';
import type { SimHost } from './sim-host.ts';
import type { StormWorld } from './storm.ts';
import { violated } from './violation.ts';
import { ProcessClock } from './virtual-clock.ts';
import { VirtualDisk } from './virtual-disk.ts';
import type { Platter } from './virtual-disk.ts';

/** What impostors need of their world, beside what a storm does. */
export type ImpostorsWorld = StormWorld & {
  /** A member on `disk`, under a name that is nobody's. */
  stranger(id: string, disk: VirtualDisk, clock: ProcessClock, machine: StateMachine): Member;
  newReplica(random: RandomBytes): Pick<StoredRun, 'nodeId' | 'key'>;
  ghost(
    id: string,
  ): Pick<
    ConstructorParameters<typeof Ghost>[0],
    'id' | 'clock' | 'network' | 'cipher' | 'signedRuns'
  >;
};

export class Impostors {
  readonly #world: ImpostorsWorld;
  readonly #prng: Prng;
  readonly #ghosts = new Set<Ghost>();
  #copy: {
    readonly clock: ProcessClock;
    readonly disk: VirtualDisk;
    readonly member: Member;
  } | null = null;
  #ghostCount = 0;
  #over = false;

  constructor(world: ImpostorsWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  begin(): void {
    const { weather } = this.#world;
    const prng = this.#prng;
    if (weather.clones) this.#later(prng.between(2_000, 6_000), () => this.#cloneSomebody());
    if (weather.forges) this.#later(prng.between(2_000, 6_000), () => this.#forge());
    if (weather.lateWords) this.#later(prng.between(1_000, 3_000), () => this.#lateWord());
    if (weather.liarComes) this.#later(prng.between(500, 5_000), () => this.#lie());
  }

  /** Durable learners say hello one after another, and are never seen again (Z54). */
  visit(count: number, withinMs: number): void {
    for (let i = 0; i < count; i++) {
      this.#later((withinMs * i) / count, () => {
        this.#world.count('visitors');
        this.#haunt(this.#freshRun(), 'visitor', {});
      });
    }
  }

  isOne(hostId: string): boolean {
    return hostId === copyId || hostId.startsWith(ghostPrefix);
  }

  end(): void {
    this.#over = true;
    for (const ghost of this.#ghosts) ghost.end();
    this.#ghosts.clear();
    this.#endCopy();
  }

  /**
   * The disk of somebody is copied and opened beside the original, while all see each other: an
   * original that is away leaves nobody who could tell. Later, when it is away, a refusal must last:
   * with the copy's mark lost, after all who refused it restarted.
   */
  #cloneSomebody(): void {
    const { hosts } = this.#world;
    if (!hosts.every(isLinkedToAll(hosts.length))) {
      this.#later(500, () => this.#cloneSomebody());
      return;
    }
    const original = this.#prng.pick(hosts);
    // A lone voter elects itself before anybody can be asked: its copy is a cluster of its own (Z8, Z17).
    if (!hasOtherVoters(original)) {
      this.#later(500, () => this.#cloneSomebody());
      return;
    }
    this.#world.count('clones');
    this.#openCopy(original.disk.copy(), original);
    this.#later(this.#prng.between(5_000, 8_000), () => {
      const left = this.#endCopy();
      if (left === null || original.process?.closing !== false) return;
      this.#world.note(`away ${original.id}`);
      original.crash();
      for (const host of hosts) if (host !== original) this.#restart(host, 500);
      const identity = left.identity === null ? null : { ...left.identity, mark: null };
      this.#later(this.#prng.between(2_000, 3_000), () => {
        this.#openCopy({ ...left, identity }, original);
      });
      this.#later(this.#prng.between(8_000, 10_000), () => {
        this.#endCopy();
        this.#world.start(original);
      });
    });
  }

  #openCopy(platter: Platter, original: SimHost): void {
    const { clock: worldClock } = this.#world;
    const clock = new ProcessClock(worldClock);
    const conditions = { syncMsMin: 0.1, syncMsMax: 1, stallChance: 0 };
    const disk = new VirtualDisk({ clock: worldClock, prng: this.#prng.fork('copy'), conditions });
    disk.putBack(platter);
    const member = this.#world.stranger(copyId, disk, clock, new KvStateMachine());
    this.#copy = { clock, disk, member };
    this.#world.note(`copy of ${original.id}`);
    member.subscribe(() => {
      const { leader } = member.status.raft;
      if (leader === null || this.#copy?.disk !== disk) return;
      const text = `a copy of ${original.id} is opened, and is heard by ${leader} (Z48)`;
      this.#world.guard(() => violated('identity', text));
    });
    void member.start();
  }

  /** What is on its disk then; null where there is none. */
  #endCopy(): Platter | null {
    const copy = this.#copy;
    if (copy === null) return null;
    this.#copy = null;
    copy.clock.kill();
    this.#world.network.crash(copyId);
    copy.disk.crash();
    return copy.disk.copy();
  }

  /** Somebody who restarted now might meet the copy without the original, and could not tell. */
  #isCopyUntold(): boolean {
    return this.#copy !== null && this.#copy.member.status.phase !== 'stopped';
  }

  #restart(host: SimHost, pauseMs: number): void {
    if (host.process?.closing !== false || this.#isCopyUntold()) return;
    host.crash();
    this.#later(pauseMs, () => this.#world.start(host));
  }

  /**
   * While somebody restarts, one who holds the secret and not its key says that it is the next run (Z39):
   * whoever believed that would refuse the honest one as another branch.
   */
  #forge(): void {
    const victim = this.#prng.pick(this.#world.hosts);
    const { identity } = victim.disk.platter;
    if (identity !== null && victim.process?.closing === false) {
      this.#world.count('forgeries');
      this.#restart(victim, 1_000);
      const { key, nonce } = this.#freshRun();
      const past = [identity.nonce, ...identity.past].slice(0, pastCountMax);
      const next = { ...identity, epoch: identity.epoch + 1, nonce, past };
      const run = { ...next, key: this.#prng.chance(0.5) ? key : null };
      this.#later(100, () => this.#haunt(run, victim.id, {}));
    }
    this.#later(this.#prng.between(3_000, 6_000), () => this.#forge());
  }

  /** What a run that is over had said before it died, read now: by one host at a time (Z48). */
  #lateWord(): void {
    const { hosts } = this.#world;
    const speaker = this.#prng.pick(hosts);
    const listener = this.#prng.pick(hosts);
    const identity = speaker.disk.platter.identity;
    const former = identity === null ? null : formerOf(identity);
    if (former === null) this.#restart(speaker, 100);
    else if (listener !== speaker) {
      this.#world.count('late words');
      this.#haunt(former, speaker.id, { to: [listener.id], isOver: true });
      // Whoever took that for more than it is lets it in no more.
      if (this.#prng.chance(0.3)) this.#restart(speaker, 500);
    }
    this.#later(this.#prng.between(500, 2_000), () => this.#lateWord());
  }

  /** Somebody who votes nowhere says that everybody held more than there ever was (Z54). */
  #lie(): void {
    const lies = this.#world.hosts.flatMap(({ disk, id }) => {
      const { identity } = disk.platter;
      return identity === null ? [] : [factsOf(identity, id)];
    });
    this.#world.count('lies');
    // Who has not found the others yet has nobody to ask.
    const { rollsBack, witnessesRestart } = this.#world.weather;
    const mayRestart = !rollsBack || witnessesRestart;
    if (mayRestart && this.#prng.chance(0.5)) this.#restart(this.#prng.pick(this.#world.hosts), 50);
    for (const delayMs of [0, 52, 56, 60, 70]) {
      this.#later(delayMs, () => this.#haunt(this.#freshRun(), 'liar', { lies }));
    }
    this.#later(this.#prng.between(2_000, 5_000), () => this.#lie());
  }

  #haunt(run: StoredRun, label: string, options: Partial<GhostSays>): void {
    this.#ghostCount += 1;
    const id = `${ghostPrefix}${this.#ghostCount}`;
    const to = this.#world.hosts.map((host) => host.id);
    const common = { ...this.#world.ghost(id), run, label, to };
    const ghost = new Ghost({ ...common, ...options });
    this.#ghosts.add(ghost);
    this.#later(this.#prng.between(300, 1_500), () => {
      this.#ghosts.delete(ghost);
      ghost.end();
    });
  }

  #freshRun(): StoredRun {
    const { nodeId, key } = this.#world.newReplica((count) => this.#prng.bytes(count));
    return freshRun(nodeId, key, hexFromBytes(this.#prng.bytes(8)));
  }

  #later(delayMs: number, callback: () => void): void {
    this.#world.clock.setTimeout(() => {
      if (!this.#over) callback();
    }, delayMs);
  }
}

type GhostSays = ConstructorParameters<typeof Ghost>[0];

function hasOtherVoters({ process }: SimHost): boolean {
  const members = process?.member.status.members ?? [];
  return members.filter(({ kind }) => kind === 'voter').length > 1;
}

function isLinkedToAll(count: number): (host: SimHost) => boolean {
  return ({ process }) => {
    if (process?.closing !== false || !process.clock.running) return false;
    const { phase, members } = process.member.status;
    const reachable = members.filter((member) => member.reachable).length;
    return phase === 'ready' && reachable === count;
  };
}

const copyId = 'copy';
const ghostPrefix = 'ghost-';
