import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { quorate, RunningCommand } from './command-line.ts';

async function pairIn(directory: string, name: string): Promise<void> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
    ...['-days', '2', '-subj', `/CN=${name}`],
  ]);
}

async function nameAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const relay = ['relay', '--ephemeral', '--listen', '127.0.0.1:0'];

describe('flags of who listens', () => {
  test.each([
    [['--origin', 'app.example.com'], 'wanted an origin such as https://app.example.com'],
    [['--origin', 'https://app.example.com/path'], 'wanted an origin'],
    [['--trusted-proxy', '300.0.0.1'], 'wanted an IP address or a range such as 10.0.0.0/8'],
    [['--trusted-proxy', '10.0.0.0/33'], 'wanted an IP address or a range'],
    [['--tls-cert', 'cert.pem'], '--tls-key is missing'],
    [['--tls-key', 'key.pem'], '--tls-cert is missing'],
    [['--tls-cert', '/nowhere/a', '--tls-key', '/nowhere/b'], 'Cannot read /nowhere/'],
  ])('T24 T29 %j is refused by relay and node, naming the wanted form', async (flags, words) => {
    const node = ['node', '--namespace', 'n', '--relay', 'localhost:1', '--ephemeral'];
    for (const command of [relay, node]) {
      const { code, err } = await quorate([...command, ...flags]);
      expect(code).toBe(2);
      expect(err).toContain(words);
    }
  });

  test('T24 a relay that only its own machine reaches, announced elsewhere, asks for --trusted-proxy', async () => {
    const announce = ['--announce', 'wss://relay.example.com'];
    for (const [flags, isSaid] of [
      [announce, true],
      [[...announce, '--trusted-proxy', '127.0.0.1'], false],
      [[], false],
    ] as const) {
      const running = new RunningCommand([...relay, ...flags, '--json']);
      await running.event(({ event }) => event === 'listening');
      running.stop();
      const { err } = await running.finished;
      expect(err.includes('say --trusted-proxy 127.0.0.1')).toBe(isSaid);
    }
  });

  test('T24 --tls-cert and --tls-key: TLS, and on SIGHUP with what the files hold by then', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'quorate-tls-'));
    onTestFinished(async () => rm(directory, { recursive: true, force: true }));
    await pairIn(directory, 'first.example');
    const files = ['cert', 'key'].flatMap((one) => [`--tls-${one}`, join(directory, `${one}.pem`)]);
    const running = new RunningCommand([...relay, ...files, '--json']);
    const { addresses } = await running.event(({ event }) => event === 'listening');
    const port = Number(/\/tcp\/(\d+)\/tls\/ws/.exec(String(addresses))?.[1]);
    expect(await nameAt(port)).toBe('first.example');
    await pairIn(directory, 'second.example');
    process.emit('SIGHUP');
    await expect.poll(async () => nameAt(port), { timeout: 20_000 }).toBe('second.example');
    await rm(join(directory, 'key.pem'));
    process.emit('SIGHUP');
    await expect.poll(() => running.err, { timeout: 20_000 }).toContain('stays in use');
    expect(await nameAt(port)).toBe('second.example');
    running.stop();
    expect((await running.finished).code).toBe(0);
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });
});
