/** Members that meet at a relay behind TLS, as in docs/OPERATIONS.md. */
import { expect, it } from 'vitest';
import { demand, entry } from '../src/gateway.ts';
import { startTlsProxy } from '../src/tls-proxy.ts';
import { freePort, inWorld } from '../src/world.ts';
import type { MemberSeat } from '../src/world.ts';

it('three members meet over wss:// and are one cluster; the relay tells others its wss:// address', async () => {
  await inWorld(async (world) => {
    const port = await freePort();
    const announced = `wss://localhost:${port}`;
    const relay = await world.relay('relay', ['--init', '--fresh', '--announce', announced]);
    const { addresses } = await relay.start();
    expect(String(addresses)).toMatch(
      new RegExp(`^/dns[46]?/localhost/tcp/${port}/(tls/ws|wss)/p2p/\\w+$`),
    );
    const proxy = await startTlsProxy(port, relay.port, world.directory);
    try {
      const members: MemberSeat[] = [];
      for (const label of ['a', 'b', 'c']) {
        const env = { NODE_EXTRA_CA_CERTS: proxy.authority };
        members.push(await world.member(label, relay, { relay: proxy.address, env }));
      }
      await Promise.all(members.map((member) => member.start()));
      await world.voters(members);
      expect(proxy.carried()).toBeGreaterThanOrEqual(3);
      const [first, , last] = members;
      await demand(first?.gateway ?? '', 'put', { key: 'over', value: 'tls' });
      expect(await entry(last?.gateway ?? '', 'over')).toMatchObject({ value: 'tls' });

      // Whoever does not know the certificate's issuer does not get as far as the relay.
      const stranger = await world.member('d', relay, { relay: proxy.address });
      const before = proxy.carried();
      stranger.launch();
      await world.until('the stranger trusts nobody', () => proxy.refused() > 0);
      expect(proxy.carried()).toBe(before);
    } finally {
      await proxy.close();
    }
  });
});
