/** What hosts and strangers may take of one relay; an operator may change each. */
import { integer, milliseconds, takeOptions } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import { listeningLimitKinds } from '../listening/listening.ts';
import type { ListeningLimits } from '../listening/listening.ts';
import type { Shares } from './budget.ts';
import { meetingLimits } from './meeting-point.ts';
import type { MeetingLimits } from './meeting-point.ts';
import { registerLimits } from './register-rules.ts';
import type { RegisterLimits } from './register-rules.ts';

export type RelayLimits = MeetingLimits &
  RegisterLimits & {
    /** Hosts that can be reached through it. Default 4,096. */
    readonly places: number;
    /** Circuits of one host, those to him and those from him each. Default 1,024. */
    readonly circuitsPerPeer: number;
    /**
     * Work for one host, in units a second; a unit is an eighth of a millisecond of the relay's processor, a
     * signature twenty. He may have used 5 s of it at once. Default 400.
     */
    readonly workPerPeer: number;
    /** The same for all hosts of an address, and 20 s of it at once. Default 2,000. */
    readonly workPerAddress: number;
    /** Answers that hosts of an address do not read; whoever is told more is let go. Default 64 MiB. */
    readonly unsentBytesPerAddress: number;
    /** What is carried for one host, in bytes a second, and 8 s of it at once. Default 8 MiB. */
    readonly carriedBytesPerPeer: number;
    /** The same for all hosts of an address. Default 32 MiB. */
    readonly carriedBytesPerAddress: number;
  };

export const defaultRelayLimits: RelayLimits = {
  ...meetingLimits,
  ...registerLimits,
  places: 4_096,
  circuitsPerPeer: 1_024,
  workPerPeer: 400,
  workPerAddress: 2_000,
  unsentBytesPerAddress: 64 * 1024 * 1024,
  carriedBytesPerPeer: 8 * 1024 * 1024,
  carriedBytesPerAddress: 32 * 1024 * 1024,
};

const relayLimitKinds: Kinds = {
  ...Object.fromEntries(Object.keys(defaultRelayLimits).map((name) => [name, integer(1)])),
  claimedForMs: milliseconds,
  workPerPeer: integer(100),
  workPerAddress: integer(100),
  unsentBytesPerAddress: integer(1024 * 1024),
  carriedBytesPerPeer: integer(64 * 1024),
  carriedBytesPerAddress: integer(64 * 1024),
};

/**
 * A relay's numbers and those of its listener, one by one or not at all. Throws `TypeError` for a name
 * that is none, and `RangeError` for a number that cannot be meant.
 */
export function takeLimits(limits: Partial<ListeningLimits & RelayLimits> | undefined): {
  readonly listening: Partial<ListeningLimits>;
  readonly relaying: RelayLimits;
} {
  const known = { ...listeningLimitKinds, ...relayLimitKinds };
  const given = Object.entries(takeOptions(limits, known, 'start a relay', 'limits.'));
  const of = (kinds: Kinds): object =>
    Object.fromEntries(given.filter(([name]) => Object.hasOwn(kinds, name)));
  return {
    listening: of(listeningLimitKinds),
    relaying: { ...defaultRelayLimits, ...of(relayLimitKinds) },
  };
}

/** In units of about an eighth of a millisecond. Whatever a relay does for somebody is one of these. */
export const costs = {
  /** To read a request and answer it. */
  request: 1,
  /** To look at a signature: some 2.5 ms. */
  check: 20,
  /** On top of that where it was wrong: honest hosts send none. */
  wrong: 1_000,
  /** To begin a stream of requests. */
  session: 20,
  /** To give a place, which the relay signs. */
  place: 20,
  /** To join two hosts. */
  circuit: 20,
  /** Hosts that are told, or listed, for one unit. */
  hostsPerUnit: 16,
} as const;

/**
 * By default a peer is announced in 160 namespaces at once; an address has 800 hosts, and 130 that come
 * at one moment. An address that takes all it can has a quarter of a core.
 */
export function workShares({ workPerPeer, workPerAddress }: RelayLimits): Shares {
  return { peer: share(workPerPeer, 5), address: share(workPerAddress, 20) };
}

/** By default a snapshot of 64 MiB is carried as fast as it comes. */
export function carriedShares({
  carriedBytesPerPeer,
  carriedBytesPerAddress,
}: RelayLimits): Shares {
  return { peer: share(carriedBytesPerPeer, 8), address: share(carriedBytesPerAddress, 8) };
}

function share(perSecond: number, seconds: number): Shares['peer'] {
  return { perSecond, burst: seconds * perSecond };
}
