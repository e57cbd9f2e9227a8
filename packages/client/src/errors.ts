/**
 * The failures a client reports. Codes, outcomes and names are those of a member; this class stands
 * alone so that a client depends on nothing.
 */

/** `not-applied`: the call had and will have no effect. `unknown`: it may have taken effect. */
export type Outcome = 'not-applied' | 'unknown';

export type ClientErrorOptions = {
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
};

/**
 * An expected failure. `code` is stable API; `outcome` says whether the call may have taken effect,
 * `retryable` whether the same call may succeed later; `details` goes with the code (such as
 * `current` with `CONFLICT`, `oldestRevision` with `COMPACTED`).
 */
export class QuorateError extends Error {
  override readonly name = 'QuorateError';
  readonly code: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: ClientErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
    this.details = options.details ?? {};
  }
}

/** True for a `QuorateError`, of the given code where one is given; also across two bundles. */
export function isQuorateError(error: unknown, code?: string): error is QuorateError {
  if (!(error instanceof Error) || error.name !== 'QuorateError') return false;
  return code === undefined || (error as QuorateError).code === code;
}
