/** A listener with a certificate of its own, which somebody else renews. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parseAddress } from '../src/host/addresses.ts';
import { createLibp2pHost } from '../src/index.ts';
import { readCertificate } from '../src/listening/certificate.ts';
import { startRelay } from '../src/relay/index.ts';
import { plainNode } from './plain-node.ts';
import { closed, portOf, silent } from './raw-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, folder } from './watching.ts';

async function makePair(directory: string, name: string): Promise<void> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
    ...['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
  ]);
}

/** The name in the certificate that a port shows. */
async function nameAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('T24 with a certificate a relay and a member speak TLS, with a renewed one after reload()', async () => {
  const directory = await folder();
  await makePair(directory, 'first.example');
  const files = {
    certFile: join(directory, 'cert.pem'),
    keyFile: join(directory, 'key.pem'),
  };
  const certificate = await readCertificate(files);
  const limits = { headersMs: 1_000 };
  const common = { certificate, limits, listen: ['ws://127.0.0.1:0'] };
  const relay = closing(await startRelay({ ...common, ephemeral: true, verify: verifyRecord }));
  const host = closing(await createLibp2pHost(common));
  for (const addresses of [relay.addresses(), host.addresses()]) {
    expect(addresses[0]).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/tls\/ws\/p2p\//);
    const node = await plainNode();
    const connection = await node.dial(parseAddress(addresses[0]!));
    expect(connection.status).toBe('open');
    const port = portOf(addresses);
    expect(await nameAt(port)).toBe('first.example');
    // Whoever does not even begin is timed, too.
    await closed([await silent(port)]);
    expect(connection.status).toBe('open');
  }
  await makePair(directory, 'second.example');
  await certificate.reload();
  for (const one of [relay, host]) {
    expect(await nameAt(portOf(one.addresses()))).toBe('second.example');
  }
  await writeFile(files.certFile, 'no certificate');
  await expect(certificate.reload()).rejects.toThrow(/Cannot use .*cert\.pem .*as PEM/);
  expect(await nameAt(portOf(host.addresses()))).toBe('second.example');
});

test('T24 files that are no pair, or not there, are refused at once, and so is wss:// without them', async () => {
  const directory = await folder();
  await makePair(directory, 'one.example');
  const certFile = join(directory, 'cert.pem');
  await expect(readCertificate({ certFile, keyFile: certFile })).rejects.toThrow(TypeError);
  await expect(
    readCertificate({ certFile, keyFile: join(directory, 'missing.pem') }),
  ).rejects.toThrow(/Cannot read .*missing\.pem/);
  await expect(createLibp2pHost({ listen: ['wss://127.0.0.1:0'] })).rejects.toThrow(
    /Cannot use address 'wss:\/\/127\.0\.0\.1:0' .*without a certificate/,
  );
});
