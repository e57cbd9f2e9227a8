/** A crowd of hosts as pages make them: none can be dialled, and all come from one address. */
import { QuorateError, systemRandom } from '@quorate/contracts';
import type { Cipher } from '@quorate/contracts';
import { createCipher } from '@quorate/crypto';
import { createLibp2pHost } from '@quorate/transport-libp2p';
import type { Libp2pHost } from '@quorate/transport-libp2p';
import { forwardTo } from './forwarder.ts';
import { serve } from './program.ts';

/** Port of the relay, and what to do there. */
export type CrowdOrder =
  /** Opens as many, and keeps them. */
  | { readonly type: 'come'; readonly port: number; readonly count: number }
  /** Opens as many and closes each once it has joined. */
  | { readonly type: 'visit'; readonly port: number; readonly count: number }
  | { readonly type: 'leave' };

/** Milliseconds from a host's beginning until it had a place, the register's word and the list. */
export type CrowdTold = {
  readonly joinedMs: readonly number[];
  readonly failures: readonly string[];
};

const namespaces = 50;
const atOnce = 8;
const patienceMs = 60_000;
const ciphers: Cipher[] = [];
const here: Libp2pHost[] = [];

serve<CrowdOrder, CrowdTold>(async (order) => {
  if (order.type === 'leave') {
    await Promise.all(here.splice(0).map((host) => host.close()));
    return { joinedMs: [], failures: [] };
  }
  while (ciphers.length < namespaces) {
    ciphers.push(
      blind(
        createCipher({
          namespace: `crowd-${ciphers.length}`,
          secrets: 'public',
          random: systemRandom,
        }),
      ),
    );
  }
  const proxy = await forwardTo(order.port, '203.0.113.7');
  const joinedMs: number[] = [];
  const failures: string[] = [];
  let next = 0;
  const comeAndGo = async (): Promise<void> => {
    while (next < order.count) {
      const cipher = ciphers[next % namespaces];
      next += 1;
      if (cipher === undefined) return;
      const from = performance.now();
      const host = await createLibp2pHost({ relays: [`ws://127.0.0.1:${proxy.port}`] });
      try {
        await join(host, cipher);
        joinedMs.push(performance.now() - from);
      } catch (error) {
        failures.push(String(error));
      }
      if (order.type === 'come') here.push(host);
      else await host.close();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, comeAndGo));
  // Who stays needs the proxy for as long.
  if (order.type === 'visit') await proxy.close();
  return { joinedMs, failures };
});

async function join(host: Libp2pHost, cipher: Cipher): Promise<void> {
  const signal = AbortSignal.timeout(patienceMs);
  const rendezvous = host.rendezvous(cipher);
  rendezvous.watch(() => undefined);
  rendezvous.announce({ host: host.peerId, addresses: [] });
  // Whoever loses the relay meanwhile asks again, as members do.
  const asked = async (): Promise<boolean> =>
    Promise.all([host.register(cipher).read(signal), rendezvous.list(signal)]).then(
      () => true,
      () => false,
    );
  while (!(await asked())) signal.throwIfAborted();
  while (host.addresses().length === 0) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The same to a relay; but this one process cannot look at what five hundred hear, each on its own machine. */
function blind(cipher: Cipher): Cipher {
  return {
    topic: cipher.topic,
    nameTag: cipher.nameTag,
    overheadBytes: cipher.overheadBytes,
    handshake: cipher.handshake.bind(cipher),
    sealRecord: cipher.sealRecord.bind(cipher),
    openRecord: () => {
      throw new QuorateError('BAD_SECRET', 'Cannot open a record: nobody looks here');
    },
  };
}
