/**
 * Every expected failure is a `QuorateError` with a stable `code`. Codes are API, texts are not.
 */

/** What each code means for the operation it ended, and who can do something about it. */
const codes = {
  /** No leader was found before the deadline. */
  NO_LEADER: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** Fewer than a majority of the voters can be reached: read-only until they are back. */
  NO_QUORUM: { outcome: 'not-applied', retryable: true, acts: 'operator' },
  /** The operation left this member and its fate was not learnt before the deadline or abort. */
  COMMIT_UNKNOWN: { outcome: 'unknown', retryable: false, acts: 'application' },
  /** A limit on work in flight was reached; nothing was accepted. */
  OVERLOADED: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** The deadline passed before anything left this member. */
  TIMEOUT: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** The caller's signal was aborted before anything left this member. */
  ABORTED: { outcome: 'not-applied', retryable: true, acts: 'application' },
  /** A condition of the operation did not hold; `details.current` tells what was there. */
  CONFLICT: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** The revision asked for is older than the history; `details.oldestRevision` is the first kept. */
  COMPACTED: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** A replicated limit (key, value, request, state size) was exceeded. */
  LIMIT_EXCEEDED: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** The session this operation belonged to is not in the table (Z25). */
  SESSION_EXPIRED: { outcome: 'unknown', retryable: false, acts: 'application' },
  /** One session and sequence number arrived with two different commands (Z26). */
  SESSION_CONFLICT: { outcome: 'unknown', retryable: false, acts: 'report' },
  /** This member or handle was closed. */
  CLOSED: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** This member is removed from the cluster. */
  REMOVED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** This browser or page lacks what a member needs; the message says what. */
  UNSUPPORTED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** This handle lives on a rendering server and never starts a member. */
  SERVER: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** The cluster speaks a feature level that this release does not know. */
  OUTDATED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** The namespace exists under another secret. */
  BAD_SECRET: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** No configured register can be reached, so nobody may found or join yet (Z9). */
  FORMATION_WAITING: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** The relays' register was lost; a person must speak (Z11). */
  REGISTER_LOST: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** A membership change could not be made now; the message says why. */
  MEMBERSHIP_REFUSED: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** The disk refused a write or a sync; the node has stopped, for it cannot know what is durable. */
  STORAGE_FAILED: { outcome: 'unknown', retryable: false, acts: 'operator' },
  /** Stored data are damaged before the tail; the message names file and offset. */
  STORAGE_CORRUPT: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** No space: nothing but what frees some is taken; all goes on by itself once there is room. */
  STORAGE_FULL: { outcome: 'not-applied', retryable: true, acts: 'operator' },
  /** The disk has not answered for two election timeouts; what needs it waits. */
  STORAGE_SLOW: { outcome: 'not-applied', retryable: true, acts: 'operator' },
  /** Another process or tab, or another machine, holds this store (Z5). */
  STORAGE_LOCKED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** The store under an open run is gone or belongs to another run (Z4). */
  STORAGE_LOST: { outcome: 'unknown', retryable: false, acts: 'operator' },
  /** A replica with the same identity runs elsewhere (Z3). */
  REPLICA_CLONED: { outcome: 'unknown', retryable: false, acts: 'operator' },
  /** A replica came back with less than it had promised (Z3). */
  REPLICA_ROLLED_BACK: { outcome: 'unknown', retryable: false, acts: 'operator' },
  /** The register names another cluster in this one's place (Z12): it acknowledges nothing any more. */
  SUPERSEDED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** A backup is damaged or cut short; the message names the place. */
  BACKUP_CORRUPT: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** A backup cannot be restored there: another namespace, data in the way, a cluster that lives. */
  RESTORE_REFUSED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
  /** An invariant of the consensus core broke; the node has stopped. */
  CONSENSUS_FATAL: { outcome: 'unknown', retryable: false, acts: 'report' },
  /** A request from outside did not have the form the protocol asks for. */
  BAD_REQUEST: { outcome: 'not-applied', retryable: false, acts: 'application' },
  /** A relay or a member could not be reached. */
  UNREACHABLE: { outcome: 'not-applied', retryable: true, acts: 'wait' },
  /** A relay serves other namespaces only; its operator can add this one. */
  NOT_ALLOWED: { outcome: 'not-applied', retryable: true, acts: 'operator' },
  /** A token was missing or wrong. */
  UNAUTHORIZED: { outcome: 'not-applied', retryable: false, acts: 'operator' },
} as const;

export type ErrorCode = keyof typeof codes;

/** `not-applied`: it had and will have no effect. `unknown`: it may have taken effect. */
export type Outcome = 'not-applied' | 'unknown';

/** Who can end the trouble: time, the application, its operator, or we (a bug to report). */
export type Actor = 'wait' | 'application' | 'operator' | 'report';

export type ErrorOptions = {
  readonly cause?: unknown;
  /** Overrides the code's usual outcome where the place of failure knows better. */
  readonly outcome?: Outcome;
  /** Plain data that goes with the code, such as `current`, `missing`, `oldestRevision`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** For COMMIT_UNKNOWN: resolves once the doubt ended, if it can. */
  readonly settle?: () => Promise<Settled>;
};

/** How a doubt ended. `unknown` means that the doubt stays (the session is gone). */
export type Settled = {
  readonly outcome: 'applied' | 'not-applied' | 'unknown';
  readonly result?: unknown;
};

/**
 * An expected failure. `code` is stable; `outcome` says whether the operation may have taken
 * effect; `retryable` whether the same call may succeed later; `acts` who can change it.
 */
export class QuorateError extends Error {
  override readonly name = 'QuorateError';
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly acts: Actor;
  readonly details: Readonly<Record<string, unknown>>;
  readonly #settle: (() => Promise<Settled>) | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? codes[code].outcome;
    this.retryable = codes[code].retryable;
    this.acts = codes[code].acts;
    this.details = options.details ?? {};
    this.#settle = options.settle;
  }

  /**
   * Learns later what became of an operation whose outcome is unknown. Resolves at once where
   * nothing is in doubt.
   */
  async settle(): Promise<Settled> {
    if (this.#settle !== undefined) return this.#settle();
    return { outcome: this.outcome };
  }
}

/** True for a `QuorateError`, of the given code where one is given; also across two bundles. */
export function isQuorateError(error: unknown, code?: ErrorCode): error is QuorateError {
  if (!(error instanceof Error) || error.name !== 'QuorateError') return false;
  return code === undefined || (error as QuorateError).code === code;
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(codes, text);
}

/** Whatever stopped a replica, as an expected failure; what is none of ours is `CONSENSUS_FATAL`. */
export function asFatal(error: unknown): QuorateError {
  if (isQuorateError(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new QuorateError('CONSENSUS_FATAL', text, { cause: error });
}

/** Z42: nothing is read of a replica, or shown, by who does not hold its secret. */
export function madeWithAnotherSecret(place: string): QuorateError {
  return new QuorateError(
    'BAD_SECRET',
    `Cannot open ${place}: it was made with another secret, wanted that one`,
  );
}

/** States an invariant of ours. A failure is a bug: it is never caught inside, the node stops. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${invariant}`);
}
