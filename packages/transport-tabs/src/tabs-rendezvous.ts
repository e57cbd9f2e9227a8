/** Where tabs of one origin find each other: a BroadcastChannel on which everybody answers. */
import { QuorateError } from '@quorate/contracts';
import type { Announcement, Clock, HostId, Rendezvous } from '@quorate/contracts';
import { meetName, parseMeetMessage } from './messages.ts';
import type { MeetMessage } from './messages.ts';

export type TabsRendezvousOptions = {
  /** As in the transport. */
  readonly topic: string;
  readonly clock: Clock;
  /** How long `list` gathers answers, in milliseconds; a tab answers within a turn. Default 100. */
  readonly listMs?: number;
};

export function createTabsRendezvous(options: TabsRendezvousOptions): Rendezvous {
  return new TabsRendezvous(options);
}

class TabsRendezvous implements Rendezvous {
  readonly #clock: Clock;
  readonly #listMs: number;
  readonly #wire: BroadcastChannel;
  readonly #listeners = new Set<(announcement: Announcement) => void>();
  /** Those who asked lately, as long as they gather answers. */
  readonly #gathering = new Set<Map<HostId, Announcement>>();
  /** What watchers were told, so that an answer to somebody else's question is no news. */
  readonly #told = new Map<HostId, string>();
  #own: Announcement | null = null;
  #closed = false;

  constructor(options: TabsRendezvousOptions) {
    this.#clock = options.clock;
    this.#listMs = options.listMs ?? 100;
    this.#wire = new BroadcastChannel(meetName(options.topic));
    this.#wire.onmessage = ({ data }: MessageEvent) => this.#receive(parseMeetMessage(data));
  }

  announce(announcement: Announcement): void {
    if (this.#closed) return;
    this.#own = announcement;
    this.#post({ type: 'here', announcement: this.#own });
  }

  async list(signal: AbortSignal): Promise<readonly Announcement[]> {
    const found = new Map<HostId, Announcement>();
    if (!this.#closed && !signal.aborted) {
      this.#gathering.add(found);
      this.#post({ type: 'who' });
      await new Promise<void>((resolve) => {
        this.#clock.setTimeout(resolve, this.#listMs);
      });
      this.#gathering.delete(found);
    }
    if (this.#closed || signal.aborted) {
      throw new QuorateError('UNREACHABLE', 'Cannot list hosts: closed or aborted');
    }
    // Who does not answer is news when it is heard again.
    for (const host of this.#told.keys()) if (!found.has(host)) this.#told.delete(host);
    return [...found.values()];
  }

  watch(listener: (announcement: Announcement) => void): () => void {
    if (this.#closed) return () => {};
    // A listener of its own for each watch, lest one that is used twice ends twice.
    const own = (announcement: Announcement): void => listener(announcement);
    this.#listeners.add(own);
    // Everybody is news to a new watcher; the others hear once more what they know.
    this.#told.clear();
    this.#post({ type: 'who' });
    return () => {
      this.#listeners.delete(own);
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    if (this.#own !== null) this.#post({ type: 'gone', host: this.#own.host });
    this.#wire.close();
  }

  #post(message: MeetMessage): void {
    this.#wire.postMessage(message);
  }

  #receive(message: MeetMessage | null): void {
    if (this.#closed || message === null) return;
    switch (message.type) {
      case 'who':
        if (this.#own !== null) this.#post({ type: 'here', announcement: this.#own });
        break;
      case 'gone':
        this.#told.delete(message.host);
        for (const found of this.#gathering) found.delete(message.host);
        break;
      case 'here':
        this.#hear(message.announcement);
        break;
    }
  }

  #hear(announcement: Announcement): void {
    const { host } = announcement;
    if (host === this.#own?.host) return;
    for (const found of this.#gathering) found.set(host, announcement);
    const text = JSON.stringify(announcement);
    if (this.#listeners.size === 0 || this.#told.get(host) === text) return;
    this.#told.set(host, text);
    for (const listener of [...this.#listeners]) listener(announcement);
  }
}
