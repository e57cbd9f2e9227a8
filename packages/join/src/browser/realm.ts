/**
 * The two realms of a page (Z35): tabs of one profile among themselves, and members of any device over
 * relays. Slots, locks, stores and topics of one never meet those of the other.
 */
import { QuorateError } from '@quorate/contracts';
import type { Cipher } from '@quorate/contracts';
import type { SignedRuns } from '@quorate/cluster/signed';
import type { MemberNetwork, Policy } from '@quorate/cluster';
import { createPlainCipher } from '@quorate/contracts/memory';
import { IndexedDbRegister } from '@quorate/storage-indexeddb';
import { createTabsRendezvous, createTabsTransport } from '@quorate/transport-tabs';
import { orBadAddress } from '../bad-address.ts';
import type { JoinOptions } from '../options.ts';
import { ringTopics } from '../ring-topics.ts';
import { checkEnvironment } from './environment.ts';
import type { Environment } from './environment.ts';

export type Realm = {
  /** Names locks, stores and channels. */
  readonly name: string;
  /** Replicas that the profile keeps. */
  readonly slotCount: number;
  /** True where every voter is a slot of this profile. */
  readonly isOneProfile: boolean;
  /** True where members elsewhere keep the data, so that a page may do without a disk. */
  readonly maySpareDisks: boolean;
  readonly policy: Partial<Policy>;
  /** Of the secrets this page has, the primary's first; what it keeps was made with one of them. */
  readonly topics: () => Promise<readonly string[]>;
  /** Over relays replicas have keys; tabs of one origin trust each other, and need none (Z39). */
  readonly signedRuns: () => Promise<SignedRuns | null>;
  /** A network of its own for each replica that a page runs. */
  readonly network: () => Promise<MemberNetwork>;
  /** Begins what the next `network` takes its time for. The returned function ends it if none came. */
  readonly prepare?: () => () => void;
};

/** Tabs of one profile: no server, no relay. */
export function tabsRealm(join: JoinOptions, environment: Environment): Realm {
  const name = `tabs ${join.namespace}`;
  const slotCount = join.slots ?? 3;
  const { clock, random } = environment;
  const parts = async (): Promise<{ cipher: Cipher; register: IndexedDbRegister }> => {
    const { locks, indexedDB } = checkEnvironment(environment);
    const cipher = await cipherOf(join, environment);
    const { topic } = cipher;
    const register = new IndexedDbRegister({ namespace: name, topic, indexedDB, locks, clock });
    return { cipher, register };
  };
  let prepared: ReturnType<typeof parts> | null = null;
  return {
    name,
    slotCount,
    isOneProfile: true,
    maySpareDisks: false,
    policy: { ...tabsPolicy, maxVoters: slotCount },
    topics: async () => ringTopics(await cipherOf(join, environment)),
    signedRuns: () => Promise.resolve(null),
    prepare: () => {
      const making = parts();
      prepared = making;
      // Whoever takes it hears of what fails.
      making.then(({ register }) => register.prepare()).catch(() => {});
      return () => {
        if (prepared !== making) return;
        prepared = null;
        making.then(({ register }) => register.close()).catch(() => {});
      };
    },
    network: async () => {
      const taken = prepared ?? parts();
      prepared = null;
      const { cipher, register } = await taken;
      const topic = `${name} ${cipher.topic}`;
      return {
        transport: createTabsTransport({ topic, clock, random }),
        cipher,
        register,
        rendezvous: createTabsRendezvous({ topic, clock }),
        close: async () => register.close(),
      };
    },
  };
}

/** Members of any device. What this takes is loaded by the pages that use it, and by no other. */
export function relaysRealm(join: JoinOptions, environment: Environment): Realm {
  const { namespace, relays = [], slots = 1, iceServers, direct } = join;
  // Fetched and compiled while the store opens, for a page waits for both; used after it (decision 9).
  // What fails here fails again below, where it is told.
  void Promise.all([import('./relays.ts'), import('@quorate/crypto')]).catch(() => undefined);
  return {
    name: `relays ${namespace}`,
    slotCount: slots,
    isOneProfile: false,
    maySpareDisks: true,
    policy: {},
    topics: async () => ringTopics(await cipherOf(join, environment, true)),
    signedRuns: async () => (await import('./relays.ts')).signedRuns,
    network: async () => {
      const [{ networkOverRelays }, cipher] = await Promise.all([
        import('./relays.ts'),
        cipherOf(join, environment, true),
      ]);
      const options = {
        relays: relays.map(String),
        ...(iceServers === undefined ? {} : { iceServers: iceServers.map(asRtcIceServer) }),
        ...(direct === undefined ? {} : { direct }),
      };
      return orBadAddress(networkOverRelays(options, cipher, environment));
    },
  };
}

function asRtcIceServer(server: NonNullable<JoinOptions['iceServers']>[number]): RTCIceServer {
  const { urls } = server;
  return { ...server, urls: typeof urls === 'string' ? urls : [...urls] };
}

/** Without a secret the origin is the boundary: whoever runs scripts in it can read its data anyway. */
async function cipherOf(
  { namespace, secret }: JoinOptions,
  { random }: Environment,
  overNetwork: boolean = false,
): Promise<Cipher> {
  const isOpen = secret === undefined || secret === 'public';
  if (isOpen && !overNetwork) return createPlainCipher({ namespace });
  const { createCipher } = await import('@quorate/crypto');
  try {
    return createCipher({ namespace, secrets: secret ?? 'public', random });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError('BAD_SECRET', text, { cause });
  }
}

/** Among tabs a round trip is a fraction of a millisecond (DESIGN §16). */
const tabsPolicy: Partial<Policy> = {
  heartbeatMs: 50,
  electionTimeoutMsMin: 400,
  electionTimeoutMsMax: 800,
  // A page reads its log each time it is loaded, and a person waits for it.
  snapshotEntries: 1_000,
  snapshotBytes: 16 * 1024 * 1024,
  trailingEntries: 500,
  trailingBytes: 4 * 1024 * 1024,
};
