/** Failures of a call as the caller sees them, from what a gateway said or from its silence. */
import { QuorateError } from './errors.ts';
import type { JsonValue } from './json-value.ts';
import { fromJsonValue } from './json-value.ts';
import type { WireError } from './wire.ts';

/** `read`: repeating it changes nothing. `write`: it may not be repeated once it may have left. */
export type CallKind = 'read' | 'write';

/** The failure a gateway reported. */
export function failureFromWire(error: WireError): QuorateError {
  const details = Object.entries(error.details).map(([name, value]) => [
    name,
    fromJsonValue(value, `details.${name}`),
  ]);
  return new QuorateError(error.code, error.message, {
    outcome: error.outcome,
    retryable: error.retryable,
    details: Object.fromEntries(details) as Record<string, unknown>,
  });
}

/** The failure in a refusal's body, or null where something else than a gateway answered. */
export function failureFromBody(text: string): QuorateError | null {
  try {
    const body = JSON.parse(text) as { readonly error?: unknown };
    return isWireError(body.error) ? failureFromWire(body.error) : null;
  } catch {
    return null;
  }
}

/** No connection came about: nothing left. */
export function unreachable(url: string, cause: unknown): QuorateError {
  return new QuorateError('UNREACHABLE', `Cannot reach the gateway at ${url}`, {
    outcome: 'not-applied',
    retryable: true,
    cause,
  });
}

/**
 * The answer did not come. A read is as good as not asked; a write may have been carried out, and
 * is never repeated on its own.
 */
export function unanswered(
  url: string,
  kind: CallKind,
  why: string,
  cause?: unknown,
): QuorateError {
  if (kind === 'read') {
    return new QuorateError('UNREACHABLE', `No answer from the gateway at ${url}: ${why}`, {
      outcome: 'not-applied',
      retryable: true,
      cause,
    });
  }
  return new QuorateError(
    'COMMIT_UNKNOWN',
    `No answer from the gateway at ${url}: ${why}; the write may have been applied`,
    { outcome: 'unknown', retryable: false, cause },
  );
}

/** The caller's signal or deadline ended a call before it left. */
export function ended(
  code: 'ABORTED' | 'TIMEOUT' | 'CLOSED',
  message: string,
  cause?: unknown,
): QuorateError {
  return new QuorateError(code, message, {
    outcome: 'not-applied',
    retryable: code !== 'CLOSED',
    cause,
  });
}

/**
 * True where another gateway may do better: this one is in trouble of its own, and nothing was
 * applied.
 */
export function isOtherGatewaysTurn(error: unknown): error is QuorateError {
  return (
    error instanceof QuorateError && error.outcome === 'not-applied' && localTrouble.has(error.code)
  );
}

/**
 * True where `fetch` failed before anything left. Only some runtimes say so; where nothing is known
 * the request may have left.
 */
export function neverLeft(error: unknown): boolean {
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && typeof cause === 'object' && cause !== null; depth++) {
    const code: unknown = (cause as { readonly code?: unknown }).code;
    if (typeof code === 'string' && connectFailures.has(code)) return true;
    const errors: unknown = (cause as { readonly errors?: unknown }).errors;
    if (Array.isArray(errors) && errors.length > 0) return errors.every(neverLeft);
    cause = (cause as { readonly cause?: unknown }).cause;
  }
  return false;
}

function isWireError(error: unknown): error is WireError {
  if (typeof error !== 'object' || error === null) return false;
  const { code, outcome, message, details } = error as Partial<Record<string, JsonValue>>;
  return (
    typeof code === 'string' &&
    (outcome === 'not-applied' || outcome === 'unknown') &&
    typeof message === 'string' &&
    typeof details === 'object' &&
    details !== null
  );
}

const localTrouble: ReadonlySet<string> = new Set([
  'CLOSED',
  'FORMATION_WAITING',
  'NOT_ALLOWED',
  'NO_LEADER',
  'NO_QUORUM',
  'OUTDATED',
  'OVERLOADED',
  'REMOVED',
  'SERVER',
  'STORAGE_FULL',
  'SUPERSEDED',
  'TIMEOUT',
  'UNREACHABLE',
]);

/** What Node, Bun and Deno name a connection that never came about. */
const connectFailures: ReadonlySet<string> = new Set([
  'ConnectionRefused',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
]);
