/** What `joinCluster` takes, and the gate that checks it. */
import type { MemberLimits, Policy } from '@quorate/cluster';
import { createPolicy, memberLimits } from '@quorate/cluster';
import { address, relayAddress } from '@quorate/contracts/addresses';
import {
  abortSignal,
  checkValue,
  flag,
  list,
  milliseconds,
  needed,
  object,
  takeOptions,
  text,
  word,
} from '@quorate/contracts/options';
import type { Kind, Kinds } from '@quorate/contracts/options';
import type { SecretSource } from '@quorate/crypto';
import type { Certificate } from '@quorate/transport-libp2p/certificate';
import { zoneKind } from './domain.ts';

export type JoinOptions = {
  /**
   * One namespace is one independent cluster: 1 to 64 characters of `a-z 0-9 . _ -`. On a relay a
   * name belongs to whoever claimed it first, with their secret.
   */
  readonly namespace: string;
  /**
   * `wss://host[:port]`, `ws://host[:port]` or multiaddrs. Members meet there, and the register of one
   * group decides which cluster the namespace is: the one named behind `#` (`wss://host#group`, 32 hex
   * digits), which the relay has to prove; without, for a newcomer, the one that most of them are of.
   * Relays of two groups decide nothing. Not needed with formation `isolated`.
   */
  readonly relays?: readonly (string | URL)[];
  /**
   * What members share: text from `quorate secret generate`, or 32 bytes. Of several the first names
   * the cluster and links accept the others too; moving a cluster to another secret is not there
   * yet. `'public'` says that everybody may read and write; with `relays` one of the two must be
   * said.
   */
  readonly secret?: SecretSource;
  /** Names this member in status, errors and tools: 1 to 64 characters. Default: chosen by chance. */
  readonly label?: string;
  /**
   * `auto`: joins what the register names, founds where it is empty. `join` never founds.
   * `isolated` founds without asking any register. `new` founds where the register is empty although
   * members of an active cluster are announced, which `auto` waits for: say it only when that cluster
   * is given up. Default `auto`.
   */
  readonly formation?: 'auto' | 'join' | 'isolated' | 'new';
  /** The founder's wishes for the whole cluster; ignored where it exists. */
  readonly policy?: Partial<Policy>;
  /** Where this member keeps its replica, in Node: without it and without `storage: 'memory'` the handle is inert. */
  readonly dataDir?: string;
  /** `never`: this member takes part in full but gets no vote. Default `auto`. */
  readonly vote?: 'auto' | 'never';
  /**
   * What this member shares its fate with beside its machine or browser profile, such as a rack, a
   * building, a region: 1 to 48 characters of `A-Z a-z 0-9 . _ -`. Of three zones or more none gets a
   * majority of the votes (Z16). Default: with nobody else.
   */
  readonly zone?: string;
  /** `memory` forgets everything with the process or tab: such a member never votes beside durable ones. */
  readonly storage?: 'auto' | 'memory';
  /** STUN and TURN servers for WebRTC between pages. Default none: beyond one network, relays. */
  readonly iceServers?: readonly {
    readonly urls: string | readonly string[];
    readonly username?: string;
    readonly credential?: string;
  }[];
  /** False: no WebRTC between pages; they meet through relays and Node members. Default true. */
  readonly direct?: boolean;
  /**
   * Replicas that a browser profile keeps of this namespace, run by whichever of its tabs are open:
   * 1, 3 or 5, the same in all of them. Default 3, with relays 1. Not of Node.
   */
  readonly slots?: number;
  /** Opens a `dataDir` that another machine held and did not close; only a person can know. */
  readonly takeOver?: boolean;
  /** Where to listen, such as `/ip4/0.0.0.0/tcp/7900/ws`. Default: the loopback, on a port that is kept. */
  readonly listen?: readonly string[];
  /** What to tell others instead of the addresses listened on. */
  readonly announce?: readonly string[];
  /**
   * Of Node: origins of pages that may connect where it listens, such as `https://app.example.com`,
   * beside pages of its own machine. Programs, and whoever comes through a relay, always may. Default
   * none.
   */
  readonly origins?: readonly string[];
  /**
   * Of Node: addresses of proxies in front of where it listens, or ranges such as `10.0.0.0/8`. Whom
   * they name in `X-Forwarded-For` is whom limits count. Default none.
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Of Node: listens with TLS, by what `readCertificate()` of `quorate/node` resolved with, and after
   * `reload()` of it with the renewed one. Default: plain WebSockets.
   */
  readonly certificate?: Certificate;
  /** Addresses of members to dial, beside those that the relays name. */
  readonly peers?: readonly string[];
  /** Milliseconds until a write gives up, unless it says otherwise. Default 10,000. */
  readonly writeTimeoutMs?: number;
  /** Milliseconds until a linearizable read gives up. Default 5,000. */
  readonly readTimeoutMs?: number;
  /**
   * How much of what is called here may wait for its answer; beyond it calls are `OVERLOADED` at once,
   * with the limit's name in `details.limit`.
   */
  readonly limits?: Partial<MemberLimits>;
  /** Aborted: the same as `close()`. */
  readonly signal?: AbortSignal;
};

/** Throws `TypeError` or `RangeError` for options that cannot be meant. */
export function checkJoinOptions(options: JoinOptions): JoinOptions {
  checkValue(options, object, action, 'the options argument');
  const given = takeOptions(options, kinds, action) as JoinOptions;
  const { relays = [], secret, policy } = given;
  if (relays.length > 0 && secret === undefined) {
    throw new TypeError(
      "Cannot join over relays without a secret: wanted secret: '…', or secret: 'public' to let everybody in",
    );
  }
  checkRing(secret);
  for (const [at, server] of (given.iceServers ?? []).entries()) {
    takeOptions<object>(server, iceServerKinds, action, `iceServers[${at}].`);
  }
  createPolicy(policy);
  memberLimits(given.limits);
  // What is undefined must not stand in for what a page's own policy says.
  const wishes = Object.entries(policy ?? {}).filter(([, wish]) => wish !== undefined);
  return policy === undefined ? given : { ...given, policy: Object.fromEntries(wishes) };
}

/** Here already, for a page loads what reads secrets later. The same one as text and as bytes is told there. */
function checkRing(secret: SecretSource | undefined): void {
  if (!Array.isArray(secret)) return;
  const texts = (secret as readonly (string | Uint8Array)[]).map((one) =>
    typeof one === 'string' ? one.trim() : one.join(),
  );
  for (const [at, text] of texts.entries()) {
    const first = texts.indexOf(text);
    if (first === at) continue;
    throw new TypeError(
      `Cannot ${action}: secret ${at + 1} of the list repeats secret ${first + 1}, wanted each once`,
    );
  }
}

const action = 'join';

function matching(pattern: RegExp, wanted: string): Kind {
  return { wanted, fits: (value) => typeof value === 'string' && pattern.test(value) };
}

const isSecret = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') || value instanceof Uint8Array;

const kinds: Kinds = {
  namespace: needed(matching(/^[a-z0-9._-]{1,64}$/, '1 to 64 characters of a-z 0-9 . _ -')),
  relays: list(relayAddress),
  secret: {
    hidden: true,
    wanted: "the text that createSecret() makes, 32 bytes, a list of them, or 'public'",
    fits: (value) =>
      isSecret(value) || (Array.isArray(value) && value.length > 0 && value.every(isSecret)),
  },
  label: matching(/^[^]{1,64}$/, '1 to 64 characters'),
  formation: word('auto', 'join', 'isolated', 'new'),
  policy: object,
  dataDir: matching(/./, 'the path of a directory'),
  vote: word('auto', 'never'),
  zone: zoneKind,
  storage: word('auto', 'memory'),
  iceServers: list(object),
  direct: flag,
  slots: word(1, 3, 5),
  takeOver: flag,
  // Looked at more closely where one can listen: pages are spared that code.
  origins: list(text),
  trustedProxies: list(text),
  certificate: object,
  listen: list(address),
  announce: list(address),
  peers: list(address),
  writeTimeoutMs: milliseconds,
  readTimeoutMs: milliseconds,
  limits: object,
  signal: abortSignal,
};

const iceServerKinds: Kinds = {
  urls: needed({
    wanted: 'a URL or a list of them',
    fits: (value) => typeof value === 'string' || Array.isArray(value),
    each: text,
  }),
  username: text,
  credential: { ...text, hidden: true },
};
