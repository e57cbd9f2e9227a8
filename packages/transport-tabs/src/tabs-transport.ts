/**
 * The `Transport` between tabs of one origin, or threads of one process: BroadcastChannels and
 * nothing else. A host's address is its id, so a known host is as good as a known address.
 *
 * Of two hosts that say hello to each other at once, the hello of the lower id counts: the higher
 * one takes it up, and the lower one leaves the other's alone.
 */
import { QuorateError, assert } from '@quorate/contracts';
import type { Clock, HostId, RandomBytes, Transport, TransportHandler } from '@quorate/contracts';
import { holdLock, watchLock } from './life-lock.ts';
import type { Locks } from './life-lock.ts';
import { LinkAttempt } from './link-attempt.ts';
import type { AttemptResult } from './link-attempt.ts';
import { doorName, linkName, lockName, parseHello, parseLinkMessage, version } from './messages.ts';
import type { Hello } from './messages.ts';
import { TabsLink } from './tabs-link.ts';
import { defaultTiming, frameBytesMax } from './timing.ts';
import type { TabsTiming } from './timing.ts';

export type TabsTransportOptions = {
  /** Hosts of one topic can reach each other; 1 to 256 characters. */
  readonly topic: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** By default a fresh id: a page is a new host each time it is loaded, also when it is duplicated. */
  readonly host?: HostId;
  readonly timing?: Partial<TabsTiming>;
  /**
   * Where a lock is held that tells the others of this tab's end, by default `navigator.locks`
   * where there is such a thing. Null: pings alone.
   */
  readonly locks?: Locks | null;
};

export function createTabsTransport(options: TabsTransportOptions): Transport {
  return new TabsTransport(options);
}

/** A wish for a link to one host. */
type Wish = {
  /** What `connect` wanted to be kept; a dial wants it once. */
  keep: boolean;
  /** False while the only addresses known are not of this network. */
  reachable: boolean;
  retryMs: number;
  cancelRetry: () => void;
};

type Dial = { readonly host: HostId; readonly up: () => void; readonly giveUp: () => void };

class TabsTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = frameBytesMax;
  readonly #topic: string;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #timing: TabsTiming;
  readonly #locks: Locks | null;
  readonly #links = new Map<HostId, TabsLink>();
  readonly #unwatch = new Map<TabsLink, () => void>();
  /** At most one of ours and one of theirs per host. */
  readonly #asking = new Map<HostId, LinkAttempt>();
  readonly #asked = new Map<HostId, LinkAttempt>();
  readonly #wishes = new Map<HostId, Wish>();
  readonly #dials = new Set<Dial>();
  #state: 'new' | 'starting' | 'running' | 'closed' = 'new';
  #handler: TransportHandler | null = null;
  #door: BroadcastChannel | null = null;
  #releaseLock: (() => void) | null = null;

  constructor(options: TabsTransportOptions) {
    if (options.topic.length === 0 || options.topic.length > topicLengthMax) {
      throw new RangeError(
        `Cannot use a topic of ${options.topic.length} characters: wanted 1 to ${topicLengthMax}`,
      );
    }
    this.#topic = options.topic;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#locks = options.locks === undefined ? navigatorLocks() : options.locks;
    this.host = options.host ?? this.#newId();
  }

  async start(handler: TransportHandler, signal?: AbortSignal): Promise<void> {
    assert(this.#state === 'new', 'start() is called once, before close()');
    this.#state = 'starting';
    if (typeof BroadcastChannel === 'undefined') {
      throw new QuorateError('UNREACHABLE', 'Cannot listen: there is no BroadcastChannel here');
    }
    if (this.#locks !== null) {
      // Without the lock the others learn of this tab's end from its silence.
      const release = await holdLock(this.#locks, lockName(this.#topic, this.host)).catch(
        () => null,
      );
      this.#releaseLock = release;
    }
    // It may have been closed meanwhile, or nobody wants it any more.
    if ((this.#state as string) === 'closed' || signal?.aborted === true) {
      this.#releaseLock?.();
      throw new QuorateError('UNREACHABLE', 'Cannot listen: closed before it had begun');
    }
    this.#state = 'running';
    this.#handler = handler;
    this.#door = new BroadcastChannel(doorName(this.#topic, this.host));
    this.#door.onmessage = ({ data }: MessageEvent) => {
      const hello = parseHello(data);
      if (hello !== null) this.#answer(hello);
    };
    for (const host of this.#wishes.keys()) this.#ask(host);
  }

  addresses(): readonly string[] {
    return this.#state === 'running' ? [addressPrefix + this.host] : [];
  }

  connect(host: HostId, addresses: readonly string[]): void {
    if (this.#state === 'closed' || host === this.host) return;
    const wish = this.#wish(host);
    wish.keep = true;
    wish.reachable = addresses.includes(addressPrefix + host);
    wish.retryMs = this.#timing.retryMsMin;
    this.#ask(host);
  }

  async dial(address: string, signal: AbortSignal): Promise<HostId> {
    const host = address.startsWith(addressPrefix) ? address.slice(addressPrefix.length) : '';
    if (host === '' || host === this.host || this.#state !== 'running' || signal.aborted) {
      throw unreachable(address);
    }
    if (this.#links.has(host)) return host;
    const wish = this.#wish(host);
    wish.reachable = true;
    try {
      await this.#linkUp(host, signal);
    } catch {
      throw unreachable(address);
    } finally {
      if (!wish.keep) this.#unwish(host);
    }
    return host;
  }

  disconnect(host: HostId): void {
    this.#unwish(host);
    this.#links.get(host)?.close('disconnected');
  }

  /** Synchronous up to its end, so that a page that is being left can rely on it (Z6). */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const host of [...this.#wishes.keys()]) this.#unwish(host);
    for (const dial of [...this.#dials]) dial.giveUp();
    for (const attempt of this.#asked.values()) attempt.cancel();
    this.#asked.clear();
    for (const link of [...this.#links.values()]) link.close('closed');
    this.#handler = null;
    this.#door?.close();
    // After the goodbyes: whoever waits for the lock would think of a crash.
    this.#releaseLock?.();
  }

  #newId(): string {
    let id = '';
    for (const byte of this.#random(16)) id += byte.toString(16).padStart(2, '0');
    return id;
  }

  // Wishes ---------------------------------------------------------------------------------------

  #wish(host: HostId): Wish {
    const known = this.#wishes.get(host);
    if (known !== undefined) return known;
    const wish: Wish = {
      keep: false,
      reachable: true,
      retryMs: this.#timing.retryMsMin,
      cancelRetry: () => {},
    };
    this.#wishes.set(host, wish);
    return wish;
  }

  #unwish(host: HostId): void {
    this.#wishes.get(host)?.cancelRetry();
    this.#wishes.delete(host);
    this.#asking.get(host)?.cancel();
    this.#asking.delete(host);
  }

  #retryLater(host: HostId): void {
    const wish = this.#wishes.get(host);
    if (wish === undefined || this.#state !== 'running') return;
    wish.cancelRetry();
    const [jitter = 0] = this.#random(1);
    const delayMs = wish.retryMs * (0.5 + jitter / 255);
    wish.retryMs = Math.min(2 * wish.retryMs, this.#timing.retryMsMax);
    wish.cancelRetry = this.#clock.setTimeout(() => this.#ask(host), delayMs);
  }

  async #linkUp(host: HostId, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        finish();
        reject(unreachable(host));
      };
      const finish = (): void => {
        cancel();
        signal.removeEventListener('abort', giveUp);
        this.#dials.delete(dial);
      };
      const dial: Dial = {
        host,
        giveUp,
        up: () => {
          finish();
          resolve();
        },
      };
      const cancel = this.#clock.setTimeout(giveUp, 2 * this.#timing.helloTimeoutMs);
      signal.addEventListener('abort', giveUp);
      this.#dials.add(dial);
      this.#ask(host);
    });
  }

  // Links in the making -----------------------------------------------------------------------------

  #ask(host: HostId): void {
    const wish = this.#wishes.get(host);
    if (wish?.reachable !== true || this.#state !== 'running') return;
    if (this.#links.has(host) || this.#asking.has(host) || this.#asked.has(host)) return;
    wish.cancelRetry();
    const link = this.#newId();
    const attempt = this.#attempt(host, link, true);
    this.#asking.set(host, attempt);
    const door = new BroadcastChannel(doorName(this.#topic, host));
    const hello: Hello = { type: 'hello', version, from: this.host, link };
    door.postMessage(hello);
    door.close();
  }

  #answer({ from, link }: Hello): void {
    if (this.#state !== 'running' || from === this.host) return;
    const asking = this.#asking.get(from);
    if (asking !== undefined) {
      // Both ask at once. Ours counts, but it may have come before the other's door was open.
      if (this.host < from) {
        this.#asking.delete(from);
        asking.cancel();
        this.#ask(from);
        return;
      }
      this.#asking.delete(from);
      asking.cancel();
    }
    // A newer hello outdates an older one; a link that is up stays until the new one is.
    this.#asked.get(from)?.cancel();
    this.#asked.set(from, this.#attempt(from, link, false));
  }

  #attempt(host: HostId, link: string, initiator: boolean): LinkAttempt {
    const mine = initiator ? this.#asking : this.#asked;
    return new LinkAttempt({
      host,
      initiator,
      wire: new BroadcastChannel(linkName(this.#topic, link)),
      clock: this.#clock,
      timeoutMs: this.#timing.helloTimeoutMs,
      lock: this.#releaseLock === null ? null : lockName(this.#topic, this.host),
      made: (attempt, result) => {
        if (mine.get(host) === attempt) mine.delete(host);
        this.#up(attempt, result);
      },
      failed: (attempt) => {
        if (mine.get(host) === attempt) mine.delete(host);
        this.#retryLater(host);
      },
    });
  }

  // Links ----------------------------------------------------------------------------------------

  #up({ host, initiator }: LinkAttempt, { wire, roundTripMs, lock }: AttemptResult): void {
    this.#asking.get(host)?.cancel();
    this.#asking.delete(host);
    // The other side believes in the new one only, or it would not have made it.
    this.#links.get(host)?.goDown('replaced');
    const link = new TabsLink({
      host,
      initiator,
      wire,
      roundTripMs,
      clock: this.#clock,
      timing: this.#timing,
      owner: {
        frame: (from, channel, frame) => this.#handler?.frame(from, channel, frame),
        drained: (from, channel) => this.#handler?.drained(from, channel),
        down: (from, reason) => this.#down(from, reason),
      },
    });
    wire.onmessage = ({ data }: MessageEvent) => {
      const message = parseLinkMessage(data);
      if (message !== null) link.receive(message);
    };
    this.#links.set(host, link);
    if (this.#locks !== null && lock !== null) {
      const gone = (): void => {
        const cancel = this.#clock.setTimeout(() => link.goDown('gone'), this.#timing.goneAfterMs);
        this.#unwatch.set(link, cancel);
      };
      this.#unwatch.set(link, watchLock(this.#locks, lock, gone));
    }
    const wish = this.#wishes.get(host);
    if (wish !== undefined) wish.retryMs = this.#timing.retryMsMin;
    this.#handler?.linkUp(link);
    for (const dial of [...this.#dials]) if (dial.host === host) dial.up();
  }

  #down(link: TabsLink, reason: string): void {
    this.#unwatch.get(link)?.();
    this.#unwatch.delete(link);
    if (this.#links.get(link.host) === link) this.#links.delete(link.host);
    this.#handler?.linkDown(link, reason);
    this.#retryLater(link.host);
  }
}

function navigatorLocks(): Locks | null {
  // Absent without a secure context, and in Node before 24.
  return (globalThis.navigator as { readonly locks?: Locks } | undefined)?.locks ?? null;
}

function unreachable(address: string): QuorateError {
  return new QuorateError('UNREACHABLE', `Cannot dial ${address}: nobody answers`);
}

const addressPrefix = '/tabs/';
const topicLengthMax = 256;
