/** Who has announced itself to a relay, per topic, and who wants to hear of it. In memory only. */
import { QuorateError } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { encodeMessage } from '../wire/relay-messages.ts';
import type { StoredAnnouncement } from '../wire/relay-messages.ts';

/** One who watches; the relay's session with a host. `frame`: what is told, the same for all who watch. */
export type Watcher = { tell(host: string, frame: Uint8Array): void };

type Listed = { readonly announcement: StoredAnnouncement; readonly expiresMs: number };

export type MeetingLimits = {
  /** Hosts that are announced, each as often as it has namespaces. Default 16,384. */
  readonly hosts: number;
  /** Of one namespace. Default 256. */
  readonly hostsPerTopic: number;
  /** Hosts that hear who comes to a namespace. Default 1,024. */
  readonly watchersPerTopic: number;
};

export const meetingLimits: MeetingLimits = {
  hosts: 16_384,
  hostsPerTopic: 256,
  watchersPerTopic: 1_024,
};

const lifetimeMs = 30_000;
const topicsPerWatcherMax = 256;

export class MeetingPoint {
  readonly #clock: Clock;
  readonly #limits: MeetingLimits;
  readonly #topics = new Map<string, Map<string, Listed>>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #watched = new Map<Watcher, Set<string>>();
  /** Topics that a person gave up: nobody is listed there. */
  readonly #forgotten = new Set<string>();
  #count = 0;
  #cancelSweep: () => void = () => {};

  constructor(clock: Clock, limits: MeetingLimits = meetingLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#sweep();
  }

  /** Lists a host for 30 s and tells the watchers of its topic. Errors: `OVERLOADED`. */
  announce(topic: string, announcement: StoredAnnouncement): void {
    if (this.#forgotten.has(topic)) return;
    const listed = this.#topics.get(topic) ?? new Map<string, Listed>();
    if (!listed.has(announcement.host)) {
      const { hosts, hostsPerTopic } = this.#limits;
      if (listed.size >= hostsPerTopic)
        throw full('list another host', 'hostsPerTopic', hostsPerTopic);
      if (this.#count >= hosts) throw full('list another host', 'hosts', hosts);
      this.#count += 1;
    }
    this.#topics.set(topic, listed);
    listed.set(announcement.host, { announcement, expiresMs: this.#clock.now() + lifetimeMs });
    const watchers = this.#watchers.get(topic);
    if (watchers === undefined) return;
    const frame = encodeMessage({ type: 'announced', topic, host: announcement });
    for (const watcher of watchers) watcher.tell(announcement.host, frame);
  }

  withdraw(topic: string, host: string): void {
    const listed = this.#topics.get(topic);
    if (listed?.delete(host) !== true) return;
    this.#count -= 1;
    if (listed.size === 0) this.#topics.delete(topic);
  }

  /** Names no host of this topic until `remember`, for a person gave their cluster up. */
  forget(topic: string): void {
    for (const host of [...(this.#topics.get(topic)?.keys() ?? [])]) this.withdraw(topic, host);
    this.#forgotten.add(topic);
  }

  /** Withdraws whoever is announced elsewhere than where `serves` says. */
  keep(serves: (topic: string) => boolean): void {
    for (const [topic, listed] of this.#topics) {
      if (!serves(topic)) for (const host of listed.keys()) this.withdraw(topic, host);
    }
  }

  remember(topic: string): void {
    this.#forgotten.delete(topic);
  }

  list(topic: string): readonly StoredAnnouncement[] {
    const nowMs = this.#clock.now();
    return [...(this.#topics.get(topic)?.values() ?? [])]
      .filter(({ expiresMs }) => expiresMs > nowMs)
      .map(({ announcement }) => announcement);
  }

  /** Who would hear of a host of this topic. */
  watcherCount(topic: string): number {
    return this.#watchers.get(topic)?.size ?? 0;
  }

  hostCount(topic: string): number {
    return this.#topics.get(topic)?.size ?? 0;
  }

  /** Errors: `OVERLOADED`. */
  watch(topic: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(topic) ?? new Set();
    const watched = this.#watched.get(watcher) ?? new Set();
    if (watchers.has(watcher)) return;
    const { watchersPerTopic } = this.#limits;
    if (watchers.size >= watchersPerTopic) {
      throw full('watch another topic', 'watchersPerTopic', watchersPerTopic);
    }
    if (watched.size >= topicsPerWatcherMax) {
      throw full('watch another topic', 'topicsPerWatcher', topicsPerWatcherMax);
    }
    this.#watchers.set(topic, watchers.add(watcher));
    this.#watched.set(watcher, watched.add(topic));
  }

  unwatch(topic: string, watcher: Watcher): void {
    this.#watched.get(watcher)?.delete(topic);
    const watchers = this.#watchers.get(topic);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(topic);
  }

  /** Forgets a watcher that is gone. */
  leave(watcher: Watcher): void {
    for (const topic of this.#watched.get(watcher) ?? []) this.unwatch(topic, watcher);
    this.#watched.delete(watcher);
  }

  close(): void {
    this.#cancelSweep();
  }

  #sweep(): void {
    const nowMs = this.#clock.now();
    for (const [topic, listed] of this.#topics) {
      for (const [host, { expiresMs }] of listed) {
        if (expiresMs <= nowMs) this.withdraw(topic, host);
      }
    }
    this.#cancelSweep = this.#clock.setTimeout(() => this.#sweep(), lifetimeMs / 3);
  }
}

function full(action: string, limit: string, value: number): QuorateError {
  return new QuorateError(
    'OVERLOADED',
    `Cannot ${action}: the relay's limit ${limit} of ${value} is reached`,
    { details: { limit, value } },
  );
}
