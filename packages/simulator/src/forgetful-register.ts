/**
 * A register that forgets a cluster that lives (T3): it is emptied, is another group, or is put back
 * to before the activation. Whoever may not write it back tries to; then a person has somebody do it.
 */
import { decodeCborMap, encodeCbor, isQuorateError } from '@quorate/contracts';
import type { HostId, RegisterRecord } from '@quorate/contracts';
import type { Member } from '@quorate/cluster';
import type { Prng } from './prng.ts';
import type { SimHost, SimProcess } from './sim-host.ts';
import { violated } from './violation.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { RegisterImage } from './virtual-register-disk.ts';
import type { VirtualRegister } from './virtual-register.ts';

export type ForgetfulWorld = {
  readonly clock: VirtualClock;
  readonly hosts: readonly SimHost[];
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  count(what: string): void;
  note(what: string): void;
};

type MemberStatus = Member['status'];
type Named = { readonly state: unknown; readonly clusterId: unknown; readonly generation: unknown };

/** What a register's value names. */
export function namedIn(value: Uint8Array): Named {
  const { state, clusterId, generation } = decodeCborMap(value);
  return { state, clusterId, generation };
}

export class ForgetfulRegister {
  readonly #world: ForgetfulWorld;
  readonly #prng: Prng;
  #isOver = false;
  #founderSlept = false;
  /** As it was when the name was first claimed. */
  #claimed: RegisterImage | null = null;
  #highestVersion = 0;
  /** Nothing of it is under way any more. */
  isDone = false;

  constructor(world: ForgetfulWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  /** Tries nothing more that must not succeed. */
  end(): void {
    this.#isOver = true;
  }

  /** A value was set. The versions of a register never come twice, whatever it gave up (Z57). */
  changed(version: number, by: HostId): void {
    if (version <= this.#highestVersion) {
      violated('register', `${by} sets version ${version} after ${this.#highestVersion} (Z57)`);
    }
    this.#highestVersion = version;
    this.#claimed ??= this.#world.register.image;
    if (this.#founderSlept || !this.#prng.chance(0.5)) return;
    this.#founderSlept = true;
    const host = this.#world.hosts.find(({ id }) => id === by);
    if (host?.process != null) void this.#sleepThrough(host.process);
  }

  /**
   * The machine of a founder sleeps for more than a day before it acknowledged anything: its claim goes, and
   * somebody else may found (Z57).
   */
  async #sleepThrough(founder: SimProcess): Promise<void> {
    const { register } = this.#world;
    this.#world.count('founders asleep');
    this.#world.note(`asleep ${founder.host.id}`);
    founder.clock.freeze(true);
    register.pass(dayMs);
    for (let count = 0; count < 2; count++) await this.#claimAnother();
    await this.#pause(this.#prng.between(1_000, 20_000));
    if (founder.clock.alive) founder.clock.thaw();
  }

  /** A day later strangers want names; what is in use stays, and what was set since then too. */
  async #dayPasses(): Promise<void> {
    const { register } = this.#world;
    const half = this.#prng.chance(0.5);
    register.pass(half ? dayMs / 2 : dayMs);
    await this.#claimAnother();
  }

  async #claimAnother(): Promise<void> {
    const { register } = this.#world;
    const before = register.record;
    const isKept = before !== null && register.isKept;
    try {
      await register.claimAnother();
    } catch (error) {
      // It may have forgotten that name too.
      if (isQuorateError(error, 'REGISTER_LOST')) return;
      throw error;
    }
    if (!isKept || register.record !== null) return;
    const state = namedIn(before.value).state;
    violated('register', `a name that is ${String(state)} was given up for another one (Z57)`);
  }

  /** One way of forgetting after another, while there is time. Rejects with the violation that it finds. */
  async run(): Promise<void> {
    for (const kind of this.#prng.shuffle(kinds)) {
      const active = await this.#whenActive();
      if (active === null) return;
      await this.#pause(this.#prng.between(0, 4_000));
      await this.#forget(kind, active);
    }
  }

  async #forget(kind: (typeof kinds)[number], active: RegisterRecord): Promise<void> {
    this.#world.count(`registers ${kind}`);
    this.#world.note(`register ${kind}`);
    const { register, network } = this.#world;
    if (kind === 'a day later') return this.#dayPasses();
    if (kind === 'reverted') return this.#revert();
    this.#highestVersion = 0;
    this.#claimed = null;
    if (kind === 'put back') {
      register.pretend(claimOf(namedIn(active.value), 'claimed', 1));
      await this.#whenNamedAgain();
      return;
    }
    if (kind === 'emptied') register.lose();
    else register.lose('another relay');
    network.meetingPoint.lose(() => this.#prng.between(0, reconnectMsMax));
    await this.#pause(this.#prng.between(reconnectMsMax + 1_000, 15_000));
    await this.#tryWhatMustFail(active);
    await this.#restore();
  }

  /** The relay's machine is put back to before the cluster acknowledged anything (Z53). */
  async #revert(): Promise<void> {
    const { register, network } = this.#world;
    if (this.#claimed === null || !register.isKnownToBeBehind(this.#claimed)) return;
    register.putBack(this.#claimed);
    // Whoever comes before all members founds beside them (decision 25): here a member is first.
    register.up = false;
    network.meetingPoint.lose(() => this.#prng.between(0, reconnectMsMax));
    await this.#pause(reconnectMsMax + 100);
    register.up = true;
    if (!register.isIncomplete) {
      violated('register', 'a register that was put back is told so by nobody (Z53)');
    }
    await this.#pause(this.#prng.between(1_000, 15_000));
    await this.#restore();
    await register.complete();
  }

  async #tryWhatMustFail(active: RegisterRecord): Promise<void> {
    const { register, network } = this.#world;
    const { clusterId, generation } = namedIn(active.value);
    await this.#tryCutOff();
    const tries = this.#prng.shuffle([
      async () => {
        const later = { clusterId: String(clusterId), generation: Number(generation) + 1 };
        const cluster = { ...later, label: 'later' };
        network.meetingPoint.pretend({ host: '', addresses: [], cluster });
        await this.#mustFail('beside a later generation that is announced', this.#anybody());
        network.meetingPoint.pretend(null);
      },
      async () => {
        register.pretend(claimOf({ clusterId: 'cd'.repeat(16), generation: 9 }, 'claimed', 1));
        await this.#mustFail('over a claim of somebody else', this.#anybody());
        register.pretend(null);
      },
      async () => {
        register.pretend(claimOf({ clusterId: 'cd'.repeat(16), generation: 0 }, 'active', 1), true);
        await this.#pause(lookMs);
        register.pretend(null);
        for (const { process, id } of this.#world.hosts) {
          if (process?.member.status.archived === undefined) continue;
          violated('register', `${id} gives its cluster up for a generation before it (Z58)`);
        }
      },
    ]);
    for (const attempt of tries) if (!this.#isOver) await attempt();
  }

  /** Somebody who hears of nobody any more, but reaches the register. */
  async #tryCutOff(): Promise<void> {
    // A lone voter is a majority by itself.
    const process = this.#anybody(({ member }) => !isLoneVoter(member.status));
    if (process === null) return;
    this.#world.count('cut off from the others');
    const { network, hosts } = this.#world;
    const others = hosts.filter((host) => host !== process.host);
    const cut = (isCut: boolean): void => {
      for (const { id } of others) {
        network.setCut(id, process.host.id, isCut);
        network.setCut(process.host.id, id, isCut);
      }
    };
    cut(true);
    await this.#pause(settledMs);
    await this.#mustFail('without a quorum', process);
    cut(false);
  }

  async #mustFail(how: string, process: SimProcess | null): Promise<void> {
    if (process === null || this.#isOver) return;
    this.#world.count('refused restores');
    for (let count = 0; ; count++) {
      const refusal: unknown = await process.member.restoreRegister().then(
        () => null,
        (error: unknown) => error,
      );
      // What was cut is whole again, and what was pretended is gone: now it may.
      if (this.#isOver) return;
      if (refusal === null) break;
      // A question that got lost refuses nothing.
      if (count === triesMax || !isQuorateError(refusal, 'UNREACHABLE')) return;
    }
    violated('register', `${process.host.id} writes its cluster into the register ${how} (Z58)`);
  }

  /** As a person does who has read what the members say: until it works. */
  async #restore(): Promise<void> {
    while (!this.#isNamed()) {
      const process = this.#anybody();
      await process?.member.restoreRegister().catch(() => undefined);
      await this.#pause(1_000);
    }
    this.#world.count('restores');
    this.#world.note('register restored');
  }

  /**
   * Once a member says so. The register knows it before: a founder whose answer was lost has acknowledged
   * nothing, and gives way to another claim.
   */
  async #whenActive(): Promise<RegisterRecord | null> {
    const { register, network } = this.#world;
    for (;;) {
      if (this.#isOver) return null;
      const { record } = register;
      const isSaid =
        record !== null && network.meetingPoint.isAnnounced(namedIn(record.value).clusterId);
      if (isSaid && this.#isNamed() && this.#anybody() !== null) return record;
      await this.#pause(500);
    }
  }

  async #whenNamedAgain(): Promise<void> {
    while (!this.#isNamed()) await this.#pause(500);
  }

  #isNamed(): boolean {
    const { record } = this.#world.register;
    return record !== null && namedIn(record.value).state === 'active';
  }

  /** A member that runs and is one. */
  #anybody(may: (process: SimProcess) => boolean = () => true): SimProcess | null {
    const ready = this.#world.hosts.flatMap(({ process }) =>
      process?.closing === false && process.member.status.phase === 'ready' && may(process)
        ? [process]
        : [],
    );
    return ready.length === 0 ? null : this.#prng.pick(ready);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.clock.setTimeout(resolve, delayMs);
    });
  }
}

function isLoneVoter({ members, nodeId }: MemberStatus): boolean {
  const voters = members.filter(({ kind }) => kind === 'voter');
  return voters.length === 1 && voters[0]?.nodeId === nodeId;
}

function claimOf(
  named: { readonly clusterId: unknown; readonly generation: unknown },
  state: string,
  version: number,
): RegisterRecord {
  const { clusterId, generation } = named;
  const founder = 'ef'.repeat(16);
  const value = encodeCbor({
    ...{ format: 1, state, clusterId, generation, founder, beat: 1 },
  });
  return { version, value, refusedCount: 0 };
}

const kinds = ['emptied', 'another group', 'put back', 'reverted', 'a day later'] as const;
/** And a bit. */
const dayMs = 26 * 3_600_000;
const triesMax = 5;
/** Of a host that lost its relay. */
const reconnectMsMax = 5_000;
/** Members have looked at the register once more. */
const lookMs = 12_000;
/** Long enough for a member to notice that nobody is there. */
const settledMs = 6_000;
