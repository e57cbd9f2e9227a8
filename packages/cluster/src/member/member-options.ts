/** What a member is made of, and how it reaches others. */
import type {
  Cipher,
  Clock,
  LogStorage,
  RandomBytes,
  Register,
  Rendezvous,
  StateMachine,
  Transport,
} from '@quorate/contracts';
import type { SignedRuns } from '../links/signed-run.ts';
import type { Neighbours } from '../replica/neighbours.ts';
import type { RegisterCare } from '../formation/register-care.ts';
import type { MemberLimits } from '../state/limits.ts';
import type { Policy, Runtime } from '../state/policy.ts';

export type MemberOptions = {
  readonly namespace: string;
  readonly label: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /**
   * A new instance on the same store at each call; waited for where a store has to be come by. `at` is
   * 0, or, with `beginsAnew`, the place among the stores of this member.
   */
  readonly createStorage: (at: number) => LogStorage | Promise<LogStorage>;
  /**
   * A marked store is left as it is, and a new replica begins in the next one (T1); once the seat of the
   * marked one is given up its store may be archived and used again (Z55). Default false.
   */
  readonly beginsAnew?: boolean;
  /**
   * Topics of the secrets this member has, the primary first: a store that was made with another is
   * not opened (Z42). Asked once there is a store. Default: whatever the store was made with.
   */
  readonly topics?: () => readonly string[];
  /**
   * Where replicas have keys (Z39): a new one gets one, and runs that are not signed are not heard. Asked
   * once there is a store. Default: none, and ids are random.
   */
  readonly signedRuns?: () => SignedRuns | null;
  /** Where the store lies, for a person who has two copies of it. */
  readonly place?: string;
  /** Called once, when the store is held: a second process on one store never reaches the network. */
  readonly network: () => Promise<MemberNetwork>;
  /** Fresh: nothing was applied to it. */
  readonly stateMachine: StateMachine;
  /**
   * `join` never founds a cluster; `isolated` founds one without a register; `new` founds where the
   * register is empty although members of an active cluster are announced (Z41). Default `auto`.
   */
  readonly formation?: 'auto' | 'join' | 'isolated' | 'new';
  /** May a replica in memory found a cluster where the register is empty? Default true. */
  readonly memoryMayFound?: boolean;
  /**
   * Is there a log of any cluster where all its durable replicas are kept? Asked with a register that
   * can lose its record, or keep it when all of them are gone (see `FormationOptions`).
   */
  readonly isLogHere?: () => Promise<boolean>;
  /** Default `node`. */
  readonly runtime?: Runtime;
  /** What this member shares its fate with (Z16), at most 128 characters. Default: with nobody. */
  readonly domain?: string;
  /** False: it never wants a vote. Default true. */
  readonly mayVote?: boolean;
  /** The founder's wishes; ignored where a cluster exists. */
  readonly policy?: Partial<Policy>;
  /** Addresses of members to dial, beside those that the rendezvous names. */
  readonly peers?: readonly string[];
  /** Of what waits for its answer here. */
  readonly limits?: Partial<MemberLimits>;
  /** Default 10,000. */
  readonly writeTimeoutMs?: number;
  /** Default 5,000. */
  readonly readTimeoutMs?: number;
  /**
   * How much this member is wished for as a leader just now, 0 to 2: a wish, never a veto (see the
   * core's `Config.priority`). Default 2.
   */
  readonly priority?: () => number;
  /** Members of one page share one, and look at each other in memory (Z61). */
  readonly neighbours?: Neighbours;
  /** Named in the status: what drives the ticks. */
  readonly clockName?: () => string;
};

/** How a member reaches others. It is the member's from then on, and closed with it. */
export type MemberNetwork = {
  readonly transport: Transport;
  readonly cipher: Cipher;
  /** Null only with formation `isolated`. */
  readonly register: Register | null;
  readonly rendezvous: Rendezvous | null;
  /** Where the register can forget a cluster that lives (Z41): over relays. */
  readonly care?: RegisterCare;
  /** Closes what carries these, last of all. */
  readonly close?: () => Promise<void>;
};
