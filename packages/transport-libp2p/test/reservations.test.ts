/** Places on a relay, over real sockets: who goes gives his back. */
import { expect, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import { metricsOf, portOf } from './raw-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { answered, closing, plainAddress, until } from './watching.ts';

const hostsAtOnce = 6;

test('T23 places end with the connection: after all comings and goings there is none', async () => {
  const relay = closing(
    await startRelay({
      ephemeral: true,
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      verify: verifyRecord,
    }),
  );
  const relays = [plainAddress(relay.addresses())];
  const placesAre = async (count: number): Promise<void> => {
    await answered(`${count} places`, async () => {
      const metrics = await metricsOf(portOf(relay.addresses()));
      return metrics.get('quorate_relay_reservations') === count ? true : null;
    });
  };
  for (let round = 0; round < 3; round += 1) {
    const hosts = await Promise.all(
      Array.from({ length: hostsAtOnce }, async () => closing(await createLibp2pHost({ relays }))),
    );
    await until('all have a place', () => hosts.every((host) => host.addresses().length === 1));
    await placesAre(hostsAtOnce);
    await Promise.all(hosts.map(async (host) => host.close()));
    await placesAre(0);
  }
  expect(relay.brokenConnections).toBe(0);
});
