/** Failures as HTTP: one JSON form for all of them, and a status for each code. */
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { ErrorCode } from '@quorate/contracts';
import { toJsonValue } from '@quorate/client';
import type { WireError } from '@quorate/client';

/** A failure on its way out. */
export type Problem = { readonly status: number; readonly error: WireError };

/**
 * What the client is told of `error`. The caller's mistakes are `BAD_REQUEST`; what nobody expected
 * is `INTERNAL`, without its text, and its outcome is unknown.
 */
export function problemOf(error: unknown): Problem {
  if (isQuorateError(error)) {
    return {
      status: statuses[error.code] ?? 500,
      error: {
        code: error.code,
        outcome: error.outcome,
        retryable: error.retryable,
        message: error.message,
        details: detailsOf(error.details),
      },
    };
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return problemOf(badRequest(error.message));
  }
  return {
    status: 500,
    error: {
      code: 'INTERNAL',
      outcome: 'unknown',
      retryable: false,
      message: 'Something unexpected broke; the log of this member says more',
      details: {},
    },
  };
}

/** The request did not have the form the gateway asks for. */
export function badRequest(message: string): QuorateError {
  return new QuorateError('BAD_REQUEST', message);
}

/** Refused at a limit; nothing was applied, and a little later there may be room. */
export function overloaded(limit: string, message: string): QuorateError {
  return new QuorateError('OVERLOADED', message, { details: { limit } });
}

/** Details are plain data; what JSON cannot carry is left out rather than failing the answer. */
function detailsOf(details: Readonly<Record<string, unknown>>): WireError['details'] {
  const members: [string, ReturnType<typeof toJsonValue>][] = [];
  for (const [name, value] of Object.entries(details)) {
    try {
      members.push([name, toJsonValue(value)]);
    } catch {
      continue;
    }
  }
  return Object.fromEntries(members);
}

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  CONFLICT: 409,
  MEMBERSHIP_REFUSED: 409,
  COMPACTED: 410,
  LIMIT_EXCEEDED: 413,
  OVERLOADED: 429,
  NO_LEADER: 503,
  NO_QUORUM: 503,
  FORMATION_WAITING: 503,
  NOT_ALLOWED: 503,
  CLOSED: 503,
  REMOVED: 503,
  OUTDATED: 503,
  SERVER: 503,
  SUPERSEDED: 503,
  UNREACHABLE: 503,
  STORAGE_FULL: 507,
  TIMEOUT: 504,
  ABORTED: 504,
  COMMIT_UNKNOWN: 504,
  SESSION_EXPIRED: 504,
};
