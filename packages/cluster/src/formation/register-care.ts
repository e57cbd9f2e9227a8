/**
 * What a person and a fresh replica need of a register that may have forgotten (Z41, Z58): who lives
 * although it does not name them, what it holds, and how a member's cluster is written back.
 *
 * Only members over relays have this, for only there the register and its clusters can part; pages
 * load it together with the way to relays.
 */
import { isQuorateError, QuorateError, sleep } from '@quorate/contracts';
import type { ActiveCluster, Clock, Register, Rendezvous } from '@quorate/contracts';
import { readClaim, setClaim } from './claim.ts';
import type { Claim, ClaimRecord, LostCode } from './claim.ts';
import { encodeBody } from '../state/envelope.ts';

/** What the register holds, and who is announced beside it. */
export type RegisterView = {
  /** The group that answered; null for a relay that holds no register. */
  readonly group: string | null;
  /** Null: nothing; then `trouble` may say why. */
  readonly record: (Omit<Claim, 'beat'> & { readonly version: number }) | null;
  readonly trouble: string | null;
  readonly announced: readonly ActiveCluster[];
};

export type RestoredRegister = {
  readonly group: string;
  readonly clusterId: string;
  readonly generation: number;
  /** False: it named this cluster all the time. */
  readonly changed: boolean;
};

/** The member that writes its cluster back. */
export type RestoringMember = {
  readonly clusterId: string;
  readonly generation: number;
  readonly founder: string;
  /** The group that its log names. */
  readonly group: () => string;
  /** A read confirmed by a quorum of its own cluster and generation. */
  readonly confirm: (signal: AbortSignal) => Promise<void>;
  /** Has the leader propose a body; not waited for. */
  readonly propose: (body: Uint8Array, signal: AbortSignal) => Promise<void>;
};

export type RegisterCare = {
  /** Whom a claim would leave behind. Rejects with `UNREACHABLE` where nobody can tell. */
  living(signal: AbortSignal): Promise<readonly ActiveCluster[]>;
  /** Why a fresh replica waits, and who can end that. */
  waiting(living: readonly ActiveCluster[]): string;
  /** What a member says whose cluster it does not name any more, for `what` stands there instead. */
  forgotten(what: string, code?: LostCode): string;
  /** What somebody did who founded all the same. */
  beside(living: readonly ActiveCluster[]): string;
  show(signal: AbortSignal): Promise<RegisterView>;
  /**
   * Writes the member's cluster into a register that holds nothing of the namespace. Errors:
   * `CONFLICT` where it holds something else, or hosts of another cluster are announced;
   * `REGISTER_LOST` and `FORMATION_WAITING` where it cannot decide; those of `confirm` and `propose`.
   */
  restore(member: RestoringMember, signal: AbortSignal): Promise<RestoredRegister>;
};

export type RegisterCareOptions = {
  readonly register: Register;
  readonly rendezvous: Rendezvous;
  readonly clock: Clock;
};

export function registerCare(options: RegisterCareOptions): RegisterCare {
  const living = async (signal: AbortSignal): Promise<readonly ActiveCluster[]> => {
    const listed = await options.rendezvous.list(signal);
    return listed.flatMap(({ cluster }) => (cluster === undefined ? [] : [cluster]));
  };
  return {
    living,
    waiting: (members) =>
      `Waiting, for the register does not name a cluster that lives: ${namesOf(members)}. ` +
      'Run "quorate register restore" where one of them runs. If that cluster is given up: stop ' +
      'them, or say "quorate register release" at the relay, or found another one here with --new ' +
      "(formation: 'new')",
    forgotten: (what, code) =>
      code === 'NOT_ALLOWED'
        ? `but nobody new can join (${what})`
        : `but nobody new can join: the register has forgotten this cluster (${what}); ` +
          '"quorate register restore" at a member writes it back',
    beside: (members) => `founded in spite of ${namesOf(members)}`,
    show: async (signal) => ({
      ...(await look(options.register, signal)),
      announced: await living(signal),
    }),
    restore: async (member, signal) => {
      options.register.writeBack?.(true);
      try {
        return await restore({ ...options, living }, member, signal);
      } finally {
        options.register.writeBack?.(false);
      }
    },
  };
}

async function look(
  register: Register,
  signal: AbortSignal,
): Promise<Omit<RegisterView, 'announced'>> {
  try {
    const { record } = await readClaim(register, signal);
    const { group } = register;
    if (record === null) return { group, record: null, trouble: null };
    const { state, clusterId, generation, founder } = record.claim;
    const shown = { state, clusterId, generation, founder, version: record.version };
    return { group, record: shown, trouble: null };
  } catch (error) {
    if (!isQuorateError(error) || error.code === 'UNREACHABLE') throw error;
    return { group: otherGroupOf(error), record: null, trouble: error.message };
  }
}

type Restoring = RegisterCareOptions & Pick<RegisterCare, 'living'>;

async function restore(
  options: Restoring,
  member: RestoringMember,
  signal: AbortSignal,
): Promise<RestoredRegister> {
  const { register } = options;
  // First of all: who cannot hear a majority may be of a generation that is long over.
  await member.confirm(signal);
  refuseBeside(await options.living(signal), member);
  await follow(options, member, signal);
  for (let changed = false; ;) {
    const { record } = await readClaim(register, signal);
    if (register.group !== member.group()) throw otherGroup(register.group, member.group());
    const done = { group: register.group, ...idsOf(member) };
    if (isOurs(record, member) && record.claim.state === 'active') {
      return { ...done, changed };
    }
    // From empty only: what somebody else claimed is given up by a person, at the relay.
    if (record !== null && !isOurs(record, member)) throw takenBy(record, member);
    const claim: Claim = {
      state: 'active',
      ...idsOf(member),
      founder: member.founder,
      beat: (record?.claim.beat ?? 0) + 1,
    };
    try {
      changed = true;
      await setClaim(register, record?.version ?? 0, claim, signal);
    } catch (error) {
      // A new register takes no first claim at once; and what was not answered may be done.
      if (!isQuorateError(error) || !repeatable.has(error.code) || signal.aborted) throw error;
      await sleep(options.clock, retryMs, signal);
    }
  }
}

/** Z58: the register's group is state. Another one than the log names takes an entry first. */
async function follow(
  { register, clock }: Restoring,
  member: RestoringMember,
  signal: AbortSignal,
): Promise<void> {
  const group = await groupOf(register, signal);
  if (group !== member.group()) await refuseTaken(register, group, member, signal);
  const body = encodeBody({ type: 'registerMoved', group });
  for (let count = 0; member.group() !== group; count += 1) {
    // Said again now and then: it may be lost together with a leader.
    if (count % repeatCount === 0) await member.propose(body, signal);
    await sleep(clock, retryMs, signal);
    if (signal.aborted) {
      throw new QuorateError('TIMEOUT', `Cannot move to group ${group}: not committed in time`);
    }
  }
  register.follow?.(group);
}

/** Before the log follows it: what lives there would supersede this cluster then. */
async function refuseTaken(
  register: Register,
  group: string,
  member: RestoringMember,
  signal: AbortSignal,
): Promise<void> {
  register.follow?.(group);
  try {
    const { record } = await readClaim(register, signal);
    if (record !== null && !isOurs(record, member)) throw takenBy(record, member);
  } finally {
    register.follow?.(member.group());
  }
}

/** The group that answers now, whichever this register has followed so far. */
async function groupOf(register: Register, signal: AbortSignal): Promise<string> {
  try {
    await register.read(signal);
    return register.group;
  } catch (error) {
    const other = otherGroupOf(error);
    if (other === null) throw error;
    return other;
  }
}

function otherGroupOf(error: unknown): string | null {
  if (!isQuorateError(error, 'REGISTER_LOST')) return null;
  const { group, isPinned } = error.details;
  return typeof group === 'string' && isPinned !== true ? group : null;
}

function refuseBeside(living: readonly ActiveCluster[], member: RestoringMember): void {
  const others = living.filter(
    ({ clusterId, generation }) => clusterId !== member.clusterId || generation > member.generation,
  );
  if (others.length === 0) return;
  throw new QuorateError(
    'CONFLICT',
    `Cannot restore the register: ${namesOf(others)} live beside generation ${member.generation} ` +
      `of ${shortOf(member)}; stop those that are given up first`,
  );
}

function isOurs(record: ClaimRecord | null, member: RestoringMember): record is ClaimRecord {
  return (
    record?.claim.clusterId === member.clusterId && record.claim.generation === member.generation
  );
}

function takenBy({ claim }: ClaimRecord, member: RestoringMember): QuorateError {
  return new QuorateError(
    'CONFLICT',
    `Cannot restore the register: it names generation ${claim.generation} of cluster ` +
      `${shortOf(claim)} (${claim.state}), not generation ${member.generation} of ` +
      `${shortOf(member)}; what is given up is released at the relay ("quorate register release")`,
  );
}

function otherGroup(found: string, wanted: string): QuorateError {
  return new QuorateError(
    'REGISTER_LOST',
    `Cannot use the register: its group is ${found}, wanted ${wanted}`,
  );
}

function idsOf({ clusterId, generation }: ActiveIds): ActiveIds {
  return { clusterId, generation };
}

type ActiveIds = Pick<Claim, 'clusterId' | 'generation'>;

/** `a, b and 2 more of cluster 1c8e0f42`, for a person. */
function namesOf(members: readonly ActiveCluster[]): string {
  const clusters = [...new Set(members.map(shortOf))];
  const labels = members.map(({ label }) => label).sort();
  const named = labels.slice(0, namedCountMax).join(', ');
  const more = labels.length > namedCountMax ? ` and ${labels.length - namedCountMax} more` : '';
  return `${named}${more} of cluster ${clusters.join(', ')}`;
}

function shortOf({ clusterId }: { readonly clusterId: string }): string {
  return clusterId.slice(0, 8);
}

const namedCountMax = 8;
const retryMs = 250;
const repeatCount = 12;
const repeatable: ReadonlySet<string> = new Set(['FORMATION_WAITING', 'UNREACHABLE', 'OVERLOADED']);
