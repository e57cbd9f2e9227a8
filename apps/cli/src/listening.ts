/** The flags of whoever is dialled: who may come, and how. */
import { listeningKinds } from '@quorate/contracts/listening';
import type { Certificate } from '@quorate/transport-libp2p/certificate';
import { isHere } from './addresses.ts';
import { UsageError } from './flags.ts';
import type { Flags } from './flags.ts';
import type { Output } from './output.ts';
import { onHangUp } from './signals.ts';

export type ListeningFlags = {
  readonly origins?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly certificate?: Certificate;
};

/**
 * What the flags say, as `startRelay` and `joinCluster` take it. Throws `UsageError`. `stopHearing` ends
 * the wait for SIGHUP, at which the certificate is read again; without one nobody waits.
 */
export async function listeningOf(
  flags: Flags,
  output: Output,
): Promise<{ readonly options: ListeningFlags; readonly stopHearing: () => void }> {
  const origins = listOf(flags, 'origin', 'origins');
  const trustedProxies = listOf(flags, 'trusted-proxy', 'trustedProxies');
  const certificate = await certificateOf(flags);
  const options: ListeningFlags = {
    ...(origins.length === 0 ? {} : { origins }),
    ...(trustedProxies.length === 0 ? {} : { trustedProxies }),
    ...(certificate === null ? {} : { certificate }),
  };
  if (certificate === null) return { options, stopHearing: () => {} };
  return { options, stopHearing: onHangUp(() => void renew(certificate, output)) };
}

/** Never rejects: whatever the files hold now, the certificate of before goes on. */
async function renew(certificate: Certificate, output: Output): Promise<void> {
  try {
    await certificate.reload();
    output.note('Read the certificate again');
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    output.note(`${words}; the certificate of before stays in use`);
  }
}

/** A note for who announces a name and listens for this machine alone: somebody stands in front. */
export function proxyNote(
  listen: readonly string[],
  announce: readonly string[],
  { trustedProxies }: ListeningFlags,
): string | null {
  const isBehind = announce.some((address) => !isHere(address)) && listen.every(isHere);
  if (!isBehind || trustedProxies !== undefined) return null;
  return (
    'All connections come from this machine, so limits for each address cannot tell them apart and ' +
    'count by peer: if a proxy stands in front, say --trusted-proxy 127.0.0.1'
  );
}

function listOf(flags: Flags, flag: string, option: string): readonly string[] {
  const each = listeningKinds[option]?.each;
  const given = flags.list(flag);
  for (const text of given) {
    if (each?.fits(text) === true) continue;
    throw new UsageError(
      `Cannot use --${flag} ${JSON.stringify(text)}: wanted ${each?.wanted ?? 'another value'}`,
    );
  }
  return given;
}

async function certificateOf(flags: Flags): Promise<Certificate | null> {
  const certFile = flags.text('tls-cert');
  const keyFile = flags.text('tls-key');
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined) throw new UsageError('--tls-cert is missing: --tls-key needs it');
  if (keyFile === undefined) throw new UsageError('--tls-key is missing: --tls-cert needs it');
  const { readCertificate } = await import('@quorate/transport-libp2p/certificate');
  try {
    return await readCertificate({ certFile, keyFile });
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}
