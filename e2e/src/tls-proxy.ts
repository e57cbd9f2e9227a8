/** TLS in front of a relay, as a reverse proxy would put it there, with a certificate of its own. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';

export type TlsProxy = {
  /** For members, as `wss://localhost:port`. */
  readonly address: string;
  /** The file that says whom to trust, for `NODE_EXTRA_CA_CERTS`. */
  readonly authority: string;
  /** Connections that were carried so far. */
  readonly carried: () => number;
  /** Those that ended before anything was said, for one side did not trust the other. */
  readonly refused: () => number;
  close(): Promise<void>;
};

/** Carries what arrives at `port` on to the relay at `relayPort`; its files go into `directory`. */
export async function startTlsProxy(
  port: number,
  relayPort: number,
  directory: string,
): Promise<TlsProxy> {
  const [key, certificate] = [join(directory, 'tls.key'), join(directory, 'tls.crt')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]);
  let carried = 0;
  let refused = 0;
  const open = new Set<Socket>();
  const server = createServer(
    { key: await readFile(key), cert: await readFile(certificate) },
    (outside) => {
      carried += 1;
      const inside = connect(relayPort, '127.0.0.1');
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        open.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          open.delete(one);
          other.destroy();
        });
      }
    },
  );
  server.on('tlsClientError', () => (refused += 1));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    address: `wss://localhost:${port}`,
    authority: certificate,
    carried: () => carried,
    refused: () => refused,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
