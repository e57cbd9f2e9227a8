/** Watches whose readers read nothing but the opening. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export async function openDeafWatches(gateway: string, count: number): Promise<() => void> {
  const { hostname, port } = new URL(gateway);
  const sockets = await Promise.all(
    Array.from(
      { length: count },
      async () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => {
            socket.write(`GET /v1/watch?prefix= HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
          });
          socket.once('data', () => {
            socket.pause();
            resolve(socket);
          });
          socket.once('error', reject);
          socket.on('error', () => {});
        }),
    ),
  );
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
