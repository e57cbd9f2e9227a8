/**
 * The disk of a relay's register on virtual time. Each change takes a moment and is there as a whole or
 * not at all; what a relay that ends had under way is not, and neither is what it would have written next.
 */
import type {
  RegisterDisk,
  RegisterEntry,
  RegisterList,
  StoredRegister,
} from '@quorate/transport-libp2p/register';
import type { Prng } from './prng.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** All of it, to be put back somewhere. Nothing in it is ever changed. */
export type RegisterImage = {
  readonly list: RegisterList;
  readonly entries: ReadonlyMap<string, RegisterEntry>;
  readonly isIncomplete: boolean;
};

export const emptyImage: RegisterImage = {
  list: { revision: 0, floor: 0, topics: [] },
  entries: new Map(),
  isIncomplete: false,
};

export class VirtualRegisterDisk implements RegisterDisk {
  readonly #clock: VirtualClock;
  readonly #prng: Prng;
  #image: RegisterImage;
  #isLost = false;

  constructor(clock: VirtualClock, prng: Prng, image: RegisterImage = emptyImage) {
    this.#clock = clock;
    this.#prng = prng;
    this.#image = image;
  }

  get image(): RegisterImage {
    return this.#image;
  }

  /** Whose disk it was has ended: nothing that it asks for happens any more. */
  take(): RegisterImage {
    this.#isLost = true;
    return this.#image;
  }

  load(): Promise<StoredRegister> {
    const { list, entries, isIncomplete } = this.#image;
    const named = new Set(list.topics);
    const [unlisted = null] = [...entries.keys()].filter((topic) => !named.has(topic));
    return Promise.resolve({
      revision: list.revision,
      floor: list.floor,
      entries: [...entries].filter(([topic, { version }]) => {
        return named.has(topic) || version > list.floor;
      }),
      unlisted:
        unlisted === null || (entries.get(unlisted)?.version ?? 0) <= list.floor ? null : unlisted,
      damaged: list.topics.filter((topic) => !entries.has(topic)),
      isIncomplete,
    });
  }

  writeList(list: RegisterList): Promise<void> {
    return this.#change((image) => ({ ...image, list }));
  }

  write(topic: string, entry: RegisterEntry): Promise<void> {
    return this.#change((image) => {
      return { ...image, entries: new Map(image.entries).set(topic, entry) };
    });
  }

  list(topic: string): Promise<void> {
    return this.#change(({ list, ...image }) => {
      return { ...image, list: { ...list, topics: [...list.topics, topic] } };
    });
  }

  remove(topic: string): Promise<void> {
    return this.#change((image) => {
      const entries = new Map(image.entries);
      entries.delete(topic);
      return { ...image, entries };
    });
  }

  setIncomplete(note: object | null): Promise<void> {
    return this.#change((image) => ({ ...image, isIncomplete: note !== null }));
  }

  #change(make: (image: RegisterImage) => RegisterImage): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimeout(
        () => {
          if (this.#isLost) return;
          this.#image = make(this.#image);
          resolve();
        },
        this.#prng.between(0.1, 2),
      );
    });
  }
}
