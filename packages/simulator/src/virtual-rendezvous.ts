/** Where hosts of the virtual network find each other, while it is up. */
import type { Announcement, HostId, Rendezvous } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

const pretender: HostId = 'nobody';
/** How long a host that died is still named. */
const announcementTtlMs = 5_000;

export class VirtualMeetingPoint {
  /** False: nobody is told anything. */
  up = true;
  /** Sees who is listed, from then on. */
  announced: (host: HostId) => void = () => undefined;
  readonly #clock: VirtualClock;
  readonly #delay: () => number;
  readonly #announcements = new Map<HostId, Announcement>();
  /** What living processes keep announced. */
  readonly #kept = new Map<HostId, () => void>();
  readonly #watchers = new Map<HostId, Set<(announcement: Announcement) => void>>();

  constructor(clock: VirtualClock, delay: () => number) {
    this.#clock = clock;
    this.#delay = delay;
  }

  /** The rendezvous as `host` sees it, in the life of `process`. */
  client(host: HostId, process: ProcessClock): Rendezvous {
    const watchers = new Set<(announcement: Announcement) => void>();
    this.#watchers.set(host, watchers);
    let closed = false;
    return {
      announce: (announcement) => {
        this.#kept.set(host, () => this.#announcements.set(host, announcement));
        this.#clock.setTimeout(() => {
          if (closed || !process.alive) return;
          this.#announcements.set(host, announcement);
          if (!this.up) return;
          this.announced(host);
          for (const [other, listeners] of this.#watchers) {
            if (other === host) continue;
            for (const listener of listeners) listener(announcement);
          }
        }, this.#delay());
      },
      list: (signal) =>
        new Promise((resolve, reject) => {
          const fail = (): void => {
            reject(new QuorateError('UNREACHABLE', `Cannot list hosts: no answer`));
          };
          signal.addEventListener('abort', fail);
          this.#clock.setTimeout(() => {
            process.enter(() => {
              if (!this.up) return fail();
              resolve([...this.#announcements.values()].filter((one) => one.host !== host));
            });
          }, 2 * this.#delay());
        }),
      watch: (listener) => {
        const guarded = (announcement: Announcement): void => {
          process.enter(() => {
            if (watchers.has(guarded)) listener(announcement);
          });
        };
        watchers.add(guarded);
        this.#clock.setTimeout(() => {
          for (const announcement of this.#announcements.values()) {
            if (announcement.host !== host) guarded(announcement);
          }
        }, 2 * this.#delay());
        return () => watchers.delete(guarded);
      },
      close: () => {
        closed = true;
        this.#kept.delete(host);
        watchers.clear();
        this.#announcements.delete(host);
        return Promise.resolve();
      },
    };
  }

  /** It begins anew, and hosts come back one by one, as soon as they have noticed. */
  lose(comesBackAfterMs: () => number): void {
    this.#announcements.clear();
    for (const [host, again] of this.#kept) {
      this.#clock.setTimeout(() => {
        if (this.#kept.get(host) !== again) return;
        again();
        this.announced(host);
      }, comesBackAfterMs());
    }
  }

  /** Does anybody who lives say that it is of this cluster, and that it acknowledges? */
  isAnnounced(clusterId: unknown): boolean {
    return [...this.#announcements.values()].some(
      ({ cluster }) => cluster?.clusterId === clusterId,
    );
  }

  /** Somebody who is none of this world's hosts. */
  pretend(announcement: Announcement | null): void {
    if (announcement === null) this.#announcements.delete(pretender);
    else this.#announcements.set(pretender, { ...announcement, host: pretender });
  }

  /** The process of `host` died without a word. */
  crash(host: HostId): void {
    this.#kept.delete(host);
    this.#watchers.delete(host);
    const announcement = this.#announcements.get(host);
    this.#clock.setTimeout(() => {
      if (this.#announcements.get(host) === announcement) this.#announcements.delete(host);
    }, announcementTtlMs);
  }
}
