/**
 * The name that a restored cluster takes (Z52): which cluster the register says holds it, and whether
 * that one still lives. Asked by a host of its own that nobody gets to know.
 */
import { isQuorateError, QuorateError, sleep, systemClock, systemRandom } from '@quorate/contracts';
import type { HostId, Register, Rendezvous, Transport } from '@quorate/contracts';
import { readClaim, takeName } from '@quorate/cluster/restoring';
import type { Claim, ClaimRecord } from '@quorate/cluster/restoring';
import { createCipher } from '@quorate/crypto';
import { nodeAes } from '@quorate/crypto/node';
import type { SecretSource } from '@quorate/crypto';

export type NameOptions = {
  readonly namespace: string;
  readonly relays: readonly (string | URL)[];
  readonly secret: SecretSource;
  readonly signal: AbortSignal;
};

export type Name = {
  /** The group of the register that decides. */
  readonly group: string;
  readonly record: ClaimRecord | null;
  take(successor: Pick<Claim, 'clusterId' | 'generation' | 'founder'>): Promise<void>;
  close(): Promise<void>;
};

/**
 * Asks the register. Rejects with `RESTORE_REFUSED` while hosts of the namespace are announced, and with
 * what the register says: `UNREACHABLE` after a while, `BAD_SECRET`, `REGISTER_LOST`,
 * `FORMATION_WAITING`.
 */
export async function lookUpName(options: NameOptions): Promise<Name> {
  const { namespace, secret, signal } = options;
  const cipher = createCipher({
    namespace,
    secrets: secret,
    random: systemRandom,
    accelerate: nodeAes,
  });
  const { createLibp2pHost } = await import('@quorate/transport-libp2p');
  const relays = options.relays.map(String);
  const host = await createLibp2pHost({ relays, reserve: false });
  try {
    const register = host.register(cipher);
    const record = await readPatiently(register, signal);
    await refuseLiving(host.rendezvous(cipher), host.transport(cipher.topic), namespace, signal);
    return {
      group: register.group,
      record,
      take: (successor) => takeName(register, record, successor, within(signal)),
      close: () => host.close(),
    };
  } catch (error) {
    await host.close();
    throw error;
  }
}

async function readPatiently(register: Register, signal: AbortSignal): Promise<ClaimRecord | null> {
  const until = systemClock.now() + patienceMs;
  for (;;) {
    try {
      return (await readClaim(register, within(signal))).record;
    } catch (error) {
      const mayPass = isQuorateError(error, 'UNREACHABLE') || isQuorateError(error, 'OVERLOADED');
      if (!mayPass || signal.aborted || systemClock.now() > until) throw error;
      await sleep(systemClock, 250, signal);
    }
  }
}

/**
 * Who answers lives, and ends it at once; who does not may have died a moment ago, and is listed until
 * the relay forgets it.
 */
async function refuseLiving(
  rendezvous: Rendezvous,
  transport: Transport,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const answered = new Set<HostId>();
  await transport.start({
    linkUp: (link) => answered.add(link.host),
    linkDown: () => undefined,
    frame: () => undefined,
    drained: () => undefined,
  });
  const until = systemClock.now() + forgottenMs;
  for (;;) {
    const hosts = await rendezvous.list(within(signal));
    if (hosts.length === 0) return;
    const living = hosts.filter(({ host }) => answered.has(host));
    if (living.length > 0 || signal.aborted || systemClock.now() > until) {
      const named = living.length > 0 ? living : hosts;
      const names = named.map(({ host, addresses }) => addresses[0] ?? host).slice(0, 5);
      throw new QuorateError(
        'RESTORE_REFUSED',
        `Cannot restore ${namespace}: ${hosts.length} of its hosts are announced now ` +
          `(${names.join(', ')}); stop its members and close its pages first`,
        { details: { hosts: hosts.map(({ host }) => host) } },
      );
    }
    for (const { host, addresses } of hosts) transport.connect(host, addresses);
    await sleep(systemClock, 250, signal);
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(registerTimeoutMs)]);
}

const patienceMs = 5_000;
/** Longer than a relay lists a host that it has not heard. */
const forgottenMs = 35_000;
const registerTimeoutMs = 5_000;
