/** Where hosts of one process find each other. */
import { QuorateError } from '../errors.ts';
import type { Announcement, Rendezvous } from '../rendezvous.ts';
import type { HostId } from '../transport.ts';

type Watcher = { readonly self: () => HostId | null; listener(announcement: Announcement): void };

/** What namespaces share: hand one to every host of a test. */
export class MemoryMeetingPoint {
  readonly #listed = new Map<string, Map<HostId, Announcement>>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  #reachable = true;

  /** False: `list` rejects and nothing is told until it is true again. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
    if (!reachable) return;
    for (const [topic, watchers] of this.#watchers) {
      for (const watcher of watchers) this.#tellAll(topic, watcher);
    }
  }

  /** The rendezvous of one host in one namespace. */
  rendezvous(topic: string): Rendezvous {
    const listed = entry(this.#listed, topic, () => new Map<HostId, Announcement>());
    const watchers = entry(this.#watchers, topic, () => new Set<Watcher>());
    const mine = new Set<Watcher>();
    let self: HostId | null = null;
    let closed = false;
    return {
      announce: (announcement) => {
        if (closed) return;
        self = announcement.host;
        listed.set(self, announcement);
        if (!this.#reachable) return;
        for (const watcher of [...watchers]) {
          if (watcher.self() !== self) watcher.listener(announcement);
        }
      },
      list: async (signal) => {
        await Promise.resolve();
        if (signal.aborted || !this.#reachable || closed) {
          throw new QuorateError(
            'UNREACHABLE',
            'Cannot list hosts: no answer, wanted a reachable rendezvous',
          );
        }
        return [...listed.values()].filter(({ host }) => host !== self);
      },
      watch: (listener) => {
        const watcher: Watcher = { self: () => self, listener };
        watchers.add(watcher);
        mine.add(watcher);
        if (this.#reachable) this.#tellAll(topic, watcher);
        return () => {
          watchers.delete(watcher);
          mine.delete(watcher);
        };
      },
      close: async () => {
        closed = true;
        for (const watcher of mine) watchers.delete(watcher);
        if (self !== null) listed.delete(self);
      },
    };
  }

  /** A watcher hears of those who were listed before it came, a turn later. */
  #tellAll(topic: string, watcher: Watcher): void {
    const announcements = [...(this.#listed.get(topic)?.values() ?? [])];
    queueMicrotask(() => {
      for (const announcement of announcements) {
        if (!this.#watchers.get(topic)?.has(watcher)) return;
        if (announcement.host !== watcher.self()) watcher.listener(announcement);
      }
    });
  }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
