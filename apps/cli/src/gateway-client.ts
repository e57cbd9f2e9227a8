/** The client that the commands talk through, from their common flags. */
import { connectClient } from '@quorate/client';
import type { Client } from '@quorate/client';
import { readSecretLines } from './files.ts';
import { UsageError } from './flags.ts';
import type { Flags } from './flags.ts';

/** Throws `UsageError` without `--gateway`. */
export async function clientOf(flags: Flags): Promise<Client> {
  const urls = gatewayUrls(flags);
  const token = await gatewayToken(flags);
  const timeoutMs = flags.number('timeout-ms', 1);
  return connectClient({
    urls,
    ...(token === undefined ? {} : { token }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

/** Throws `UsageError` without `--gateway`. */
export function gatewayUrls(flags: Flags): readonly string[] {
  const urls = flags.list('gateway').map(urlOf);
  if (urls.length > 0) return urls;
  throw new UsageError('--gateway is missing: wanted the address of a member that serves one');
}

/** `HOST:PORT`, as `quorate node` takes it, is good here, too. */
function urlOf(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(url)) {
    throw new UsageError(
      `Cannot use --gateway ${text}: wanted a URL such as http://127.0.0.1:7801`,
    );
  }
  return url;
}

/** The first one of --gateway-token-file; undefined without. Throws `UsageError`. */
export async function gatewayToken(flags: Flags): Promise<string | undefined> {
  return (await readSecretLines(flags, 'gateway-token-file', 'a token'))?.[0];
}
