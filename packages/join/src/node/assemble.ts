/** The parts of a member in Node: files, libp2p over WebSockets, the machine's own AES. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { isQuorateError, systemClock, systemRandom } from '@quorate/contracts';
import { Member } from '@quorate/cluster';
import type { MemberNetwork } from '@quorate/cluster';
import { registerCare } from '@quorate/cluster/register';
import { SignedRuns } from '@quorate/cluster/signed';
import { listeningKinds } from '@quorate/contracts/listening';
import { MemoryDisk, MemoryStorage } from '@quorate/contracts/memory';
import { takeOptions } from '@quorate/contracts/options';
import { createCipher, runSigner } from '@quorate/crypto';
import { nodeAes } from '@quorate/crypto/node';
import { FileStorage } from '@quorate/storage-fs';
import type { Libp2pHost, Libp2pHostOptions, ListeningOptions } from '@quorate/transport-libp2p';
import { orBadAddress } from '../bad-address.ts';
import { failureDomain } from '../domain.ts';
import type { JoinOptions } from '../options.ts';
import { ringTopics } from '../ring-topics.ts';
import type { Assemble } from '../runner.ts';
import { keepRelays, makeHostKey, readHostFiles, refuseRelays, writePort } from './host-files.ts';
import type { HostFiles } from './host-files.ts';
import { askAsNewcomer } from './newcomer.ts';

const signedRuns = new SignedRuns(runSigner);

/** Makes a member of this process; nothing is opened before it is started. */
export const assembleNode: Assemble = (options, machine) => {
  const { namespace, label, dataDir } = options;
  // At once, not when the network begins.
  listeningOf(options);
  const directory = dataDir === undefined ? null : join(resolve(dataDir), namespace);
  const cipher = createCipher({
    namespace,
    secrets: options.secret ?? 'public',
    random: systemRandom,
    accelerate: nodeAes,
  });
  const memory = new MemoryDisk();
  let host: Libp2pHost | null = null;
  let files: HostFiles = { key: null, port: 0, relays: null };
  const network = async (): Promise<MemberNetwork> => {
    const opened = await orBadAddress(openHost(options, directory, files));
    host = opened;
    const common = {
      transport: opened.transport(cipher.topic),
      cipher,
      close: () => opened.close(),
    };
    if ((options.relays ?? []).length === 0) return { ...common, register: null, rendezvous: null };
    const [register, rendezvous] = [opened.register(cipher), opened.rendezvous(cipher)];
    const care = registerCare({ register, rendezvous, clock: systemClock });
    return { ...common, register, rendezvous, care };
  };
  const member = new Member({
    namespace,
    label,
    // With a wall clock that goes on while the machine sleeps: here leases may be relied on (Z23).
    clock: { ...systemClock, wallNow: () => Date.now() },
    random: systemRandom,
    createStorage: async () => {
      if (directory === null || dataDir === undefined) return new MemoryStorage(memory);
      await refuseRelays(resolve(dataDir));
      files = await readHostFiles(directory);
      await askAsNewcomer(directory, (options.relays ?? []).map(String), cipher);
      return new FileStorage({
        directory: join(directory, 'log'),
        takeOver: options.takeOver ?? false,
      });
    },
    topics: () => ringTopics(cipher),
    signedRuns: () => signedRuns,
    ...(directory === null ? {} : { place: `${directory} on ${hostname()}` }),
    network,
    stateMachine: machine,
    formation: options.formation ?? 'auto',
    domain: failureDomain(options.zone, `host ${hostname()}`),
    mayVote: options.vote !== 'never',
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.peers === undefined ? {} : { peers: options.peers }),
    ...(options.writeTimeoutMs === undefined ? {} : { writeTimeoutMs: options.writeTimeoutMs }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.readTimeoutMs === undefined ? {} : { readTimeoutMs: options.readTimeoutMs }),
  });
  return {
    runner: member,
    peerId: () => host?.peerId ?? null,
    addresses: () => host?.addresses() ?? [],
  };
};

/** Throws TypeError. */
function listeningOf(options: JoinOptions): ListeningOptions {
  const { origins, trustedProxies, certificate } = options;
  return takeOptions<object>({ origins, trustedProxies, certificate }, listeningKinds, 'join');
}

async function openHost(
  options: JoinOptions,
  directory: string | null,
  { key, port, relays: knownRelays }: HostFiles,
): Promise<Libp2pHost> {
  // Loaded only here: a server that merely renders a page loads no libp2p.
  const { createLibp2pHost, generatePrivateKey, parseAddress } =
    await import('@quorate/transport-libp2p');
  // The member dials them until they answer: what cannot be read never would.
  for (const peer of options.peers ?? []) parseAddress(peer);
  const privateKey =
    key ?? (directory === null ? undefined : await makeHostKey(directory, generatePrivateKey));
  const common = {
    ...(privateKey === undefined ? {} : { privateKey }),
    relays: (options.relays ?? []).map(String),
    announce: options.announce ?? [],
    knownRelays,
    ...(directory === null ? {} : { onRelays: keepRelays(directory) }),
    ...listeningOf(options),
  };
  if (options.listen !== undefined) {
    return createLibp2pHost({ ...common, listen: options.listen });
  }
  const host = await listenOnLoopback(createLibp2pHost, common, port);
  const actual = portOf(host.addresses());
  if (directory !== null && actual !== null && actual !== port) await writePort(directory, actual);
  return host;
}

/** On the port of the last run, so that others find this member where it was; else on any. */
async function listenOnLoopback(
  create: (options: Libp2pHostOptions) => Promise<Libp2pHost>,
  common: Libp2pHostOptions,
  port: number,
): Promise<Libp2pHost> {
  const at = (number: number): string => `/ip4/127.0.0.1/tcp/${number}/ws`;
  try {
    return await create({ ...common, listen: [at(port)] });
  } catch (error) {
    if (port === 0 || !isQuorateError(error, 'UNREACHABLE')) throw error;
    return create({ ...common, listen: [at(0)] });
  }
}

function portOf(addresses: readonly string[]): number | null {
  for (const address of addresses) {
    const port = /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)\/ws/.exec(address)?.[1];
    if (port !== undefined) return Number(port);
  }
  return null;
}
