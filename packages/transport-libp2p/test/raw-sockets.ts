/** Connections to a listener, spoken by hand. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { until } from './watching.ts';

export function portOf(addresses: readonly string[]): number {
  return Number(/\/tcp\/(\d+)\//.exec(addresses[0] ?? '')?.[1]);
}

/** A socket that says nothing, closed at the end of the test. */
export async function silent(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  // Only who reads sees the end.
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

export function upgradeRequest(headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    host: '127.0.0.1',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-version': '13',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET / HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends `words` on a new connection; resolves with it and the first line of the answer. */
export async function asked(
  port: number,
  words: string,
): Promise<{ readonly socket: Socket; readonly status: number }> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(words);
  const text = await new Promise<string>((resolve) => {
    socket.once('data', (answer: Buffer) => resolve(answer.toString()));
    socket.once('close', () => resolve(''));
  });
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0);
  return { socket, status };
}

/** A connection with the upgrade behind it. */
export async function upgraded(
  port: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<Socket> {
  const { socket, status } = await asked(port, upgradeRequest(headers));
  if (status !== 101) throw new Error(`The upgrade was answered with ${status}`);
  socket.resume();
  return socket;
}

/** The numbers of a listener's `/metrics`, by name and labels as they stand there. */
export async function metricsOf(port: number): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const lines = (await answer.text()).split('\n').filter((line) => /^[a-z]/.test(line));
  return new Map(lines.map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]));
}

export async function closed(sockets: readonly Socket[]): Promise<void> {
  await until('the sockets are closed', () => sockets.every((socket) => socket.closed));
}
