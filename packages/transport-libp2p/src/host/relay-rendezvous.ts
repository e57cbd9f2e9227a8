/**
 * The Rendezvous of a namespace over all configured relays. Announcements are sealed and signed by
 * holders of the secret; the relay adds the host that its connection proves.
 */
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { QuorateError } from '@quorate/contracts';
import type {
  ActiveCluster,
  Announcement,
  Cipher,
  Clock,
  HostId,
  Rendezvous,
} from '@quorate/contracts';
import type { Answer, StoredAnnouncement } from '../wire/relay-messages.ts';
import { announceBytesMax } from '../wire/relay-messages.ts';
import type { RelayClient, RequestBody } from './relay-client.ts';

/** The relay forgets a host after 30 s; each is announced well before. */
const refreshMs = 8_000;
/** How soon a change of this host's own addresses is told. */
const changeCheckMs = 500;
const addressesMax = 16;
/** A host that was not heard for so long is news when it comes back. */
const forgottenAfterMs = 30_000;
const heardMax = 1_024;

export type RelayRendezvousOptions = {
  readonly clients: readonly RelayClient[];
  readonly cipher: Cipher;
  readonly clock: Clock;
  readonly host: HostId;
  /** Where this host can be reached now. */
  addresses(): readonly string[];
};

export class RelayRendezvous implements Rendezvous {
  readonly #options: RelayRendezvousOptions;
  readonly #listeners = new Set<(announcement: Announcement) => void>();
  /** What each host said last, so that a watcher hears of changes only. */
  readonly #heard = new Map<
    HostId,
    { readonly announcement: Announcement; readonly atMs: number }
  >();
  readonly #closing = new AbortController();
  readonly #endings: (() => void)[] = [];
  #announcement: Announcement | null = null;
  #version = 0;
  #announced = '';
  #announcedMs = -Infinity;
  #cancelTimer: () => void = () => {};

  constructor(options: RelayRendezvousOptions) {
    this.#options = options;
    for (const client of options.clients) {
      this.#endings.push(
        client.onSession(() => {
          this.#announceTo(client);
          this.#watchOn(client);
        }),
        client.onTold((told) => {
          if (told.topic === options.cipher.topic) this.#told(told.host);
        }),
      );
    }
    this.#keepAnnounced();
  }

  /** For this host itself the addresses of the moment are added, whenever they change. */
  announce(announcement: Announcement): void {
    this.#announcement = announcement;
    this.#announcedMs = -Infinity;
    this.refresh();
  }

  async list(signal: AbortSignal): Promise<readonly Announcement[]> {
    const { clients, cipher } = this.#options;
    const within = AbortSignal.any([signal, this.#closing.signal]);
    const answers = await Promise.allSettled(
      clients.map(async (client) => client.call({ type: 'list', topic: cipher.topic }, within)),
    );
    const found = new Map<HostId, Announcement>();
    let answered = false;
    for (const answer of answers) {
      if (answer.status !== 'fulfilled' || answer.value.type !== 'hosts') continue;
      answered = true;
      for (const stored of answer.value.hosts) {
        const announcement = this.#open(stored);
        if (announcement !== null) found.set(announcement.host, announcement);
      }
    }
    if (!answered) {
      throw new QuorateError('UNREACHABLE', 'Cannot list hosts: no relay answered, wanted one');
    }
    // Who is listed no more is news when it comes back.
    for (const host of this.#heard.keys()) if (!found.has(host)) this.#heard.delete(host);
    return [...found.values()];
  }

  watch(listener: (announcement: Announcement) => void): () => void {
    const first = this.#listeners.size === 0;
    this.#listeners.add(listener);
    if (first) for (const client of this.#options.clients) this.#watchOn(client);
    const nowMs = this.#options.clock.now();
    for (const { announcement, atMs } of this.#heard.values()) {
      if (nowMs - atMs > forgottenAfterMs) continue;
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(announcement);
      });
    }
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { clients, cipher } = this.#options;
    this.#cancelTimer();
    this.#listeners.clear();
    for (const end of this.#endings) end();
    const signal = AbortSignal.timeout(1_000);
    const withdrawn =
      this.#announcement === null
        ? []
        : clients.map(async (client) =>
            client.call({ type: 'withdraw', topic: cipher.topic }, signal),
          );
    this.#announcement = null;
    // A relay that cannot be told forgets by itself.
    await Promise.allSettled(withdrawn);
    this.#closing.abort();
  }

  #keepAnnounced(): void {
    this.refresh();
    this.#cancelTimer = this.#options.clock.setTimeout(() => this.#keepAnnounced(), changeCheckMs);
  }

  /** Tells of this host if its addresses have changed, or it was told long ago. */
  refresh(): void {
    if (this.#announcement === null) return;
    const nowMs = this.#options.clock.now();
    const changed = textOf(this.#current()) !== this.#announced;
    if (!changed && nowMs - this.#announcedMs < refreshMs) return;
    this.#announcedMs = nowMs;
    for (const client of this.#options.clients) this.#announceTo(client);
  }

  #current(): Announcement {
    const announced = this.#announcement ?? { host: this.#options.host, addresses: [] };
    if (announced.host !== this.#options.host) return announced;
    const addresses = [...new Set([...this.#options.addresses(), ...announced.addresses])];
    return { ...announced, addresses: addresses.slice(0, addressesMax) };
  }

  #announceTo(client: RelayClient): void {
    if (this.#announcement === null) return;
    const { cipher } = this.#options;
    const current = this.#current();
    this.#announced = textOf(current);
    this.#version += 1;
    const version = this.#version;
    const value = encode(current, rfc8949EncodeOptions);
    const record = cipher.sealRecord('announce', version, value);
    if (record.length > announceBytesMax) return;
    this.#ask(client, {
      ...{ type: 'announce', topic: cipher.topic, version, record },
      receipt: client.receipt,
    });
  }

  #watchOn(client: RelayClient): void {
    if (this.#listeners.size === 0) return;
    const { topic } = this.#options.cipher;
    this.#ask(client, { type: 'watch', topic }, (answer) => {
      if (answer.type === 'hosts') for (const host of answer.hosts) this.#told(host);
    });
  }

  #told(stored: StoredAnnouncement): void {
    const announcement = this.#open(stored);
    if (announcement === null) return;
    const nowMs = this.#options.clock.now();
    const known = this.#heard.get(announcement.host);
    // Deleted first, so that the map stays in the order of hearing: the oldest goes when it is full.
    this.#heard.delete(announcement.host);
    this.#heard.set(announcement.host, { announcement, atMs: nowMs });
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > heardMax && oldest !== undefined) this.#heard.delete(oldest);
    const isSame = known !== undefined && textOf(known.announcement) === textOf(announcement);
    if (isSame && nowMs - known.atMs < forgottenAfterMs) return;
    for (const listener of [...this.#listeners]) listener(announcement);
  }

  /** Null for one's own, and for what is no announcement of a holder of the secret. */
  #open(stored: StoredAnnouncement): Announcement | null {
    const { cipher, host } = this.#options;
    if (stored.host === host) return null;
    try {
      const raw: unknown = decode(cipher.openRecord('announce', stored.version, stored.record));
      if (!isAnnouncement(raw) || raw.host !== stored.host) return null;
      const addresses = raw.addresses.slice(0, addressesMax);
      if (raw.cluster === undefined) return { host: raw.host, addresses };
      const { clusterId, generation, label } = raw.cluster;
      return { host: raw.host, addresses, cluster: { clusterId, generation, label } };
    } catch {
      return null;
    }
  }

  /** Best effort: what did not get through is said again with the next session or refresh. */
  #ask(client: RelayClient, body: RequestBody, then?: (answer: Answer) => void): void {
    // A session that comes asks by itself; until then nothing waits here.
    if (!client.isTied) return;
    // A signal of its own each time: many listeners on a long-lived one make Node warn.
    const signal = AbortSignal.any([this.#closing.signal]);
    client.call(body, signal).then(then, () => {});
  }
}

/** Whatever of it is news to others. */
function textOf({ addresses, cluster }: Announcement): string {
  return JSON.stringify([addresses, cluster?.clusterId, cluster?.generation, cluster?.label]);
}

function isAnnouncement(raw: unknown): raw is Announcement {
  if (typeof raw !== 'object' || raw === null) return false;
  const { host, addresses, cluster } = raw as Partial<Announcement>;
  return (
    typeof host === 'string' &&
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === 'string' && address.length <= 512) &&
    (cluster === undefined || isActiveCluster(cluster))
  );
}

function isActiveCluster(raw: unknown): raw is ActiveCluster {
  if (typeof raw !== 'object' || raw === null) return false;
  const { clusterId, generation, label } = raw as Partial<ActiveCluster>;
  return (
    typeof clusterId === 'string' &&
    /^[0-9a-f]{32}$/.test(clusterId) &&
    Number.isSafeInteger(generation) &&
    typeof label === 'string' &&
    label.length <= 64
  );
}
