/** A long answer of a gateway, as it comes: backups and exports. */
import { QuorateError } from '@quorate/client';
import { gatewayToken, gatewayUrls } from './gateway-client.ts';
import type { Flags } from './flags.ts';

/**
 * Asks one gateway after another until one answers, and hands out its answer's bytes. Rejects with what
 * the last one said; the bytes reject with `UNREACHABLE` when the connection breaks.
 */
export async function gatewayStream(
  flags: Flags,
  path: string,
): Promise<AsyncIterable<Uint8Array>> {
  const token = await gatewayToken(flags);
  const timeoutMs = flags.number('timeout-ms', 1) ?? timeoutMsDefault;
  const headers = {
    'quorate-timeout-ms': String(timeoutMs),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  let failure: unknown;
  for (const url of gatewayUrls(flags)) {
    try {
      // The time is for its first word; what follows takes as long as it takes.
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), timeoutMs + graceMs);
      const response = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
        headers,
        signal: late.signal,
      }).finally(() => clearTimeout(timer));
      if (!response.ok) throw failureOf(response.status, await response.text());
      return bytesOf(url, response);
    } catch (error) {
      failure = isOurs(error) ? error : unreachable(url, error);
      if (isOurs(error) && !error.retryable) break;
    }
  }
  throw failure;
}

async function* bytesOf(url: string, response: Response): AsyncGenerator<Uint8Array, undefined> {
  if (response.body === null) return;
  try {
    yield* response.body as unknown as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw unreachable(url, error);
  }
}

function failureOf(status: number, body: string): QuorateError {
  try {
    const { error } = JSON.parse(body) as {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly retryable: boolean;
      };
    };
    const { code, message, retryable } = error;
    return new QuorateError(code, message, { outcome: 'not-applied', retryable });
  } catch {
    return new QuorateError('UNREACHABLE', `The gateway answered with HTTP status ${status}`, {
      outcome: 'not-applied',
      retryable: true,
    });
  }
}

function unreachable(url: string, cause: unknown): QuorateError {
  return new QuorateError('UNREACHABLE', `Cannot read from ${url}: the connection broke`, {
    outcome: 'not-applied',
    retryable: true,
    cause,
  });
}

function isOurs(error: unknown): error is QuorateError {
  return error instanceof QuorateError;
}

const timeoutMsDefault = 10_000;
const graceMs = 2_000;
