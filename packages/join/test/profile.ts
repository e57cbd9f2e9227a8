/** A browser profile in a test: Web Locks with queues, and channels that its tabs talk on. */
import type { SlotChannel, SlotLocks, SlotMessage } from '../src/browser/slots.ts';

type Waiter = {
  readonly tab: string;
  /** Resolves when its holder lets go. */
  readonly hold: () => Promise<unknown>;
  holding: boolean;
};

export class Profile {
  /** For each lock who has it, and behind it who waits. */
  readonly #queues = new Map<string, Waiter[]>();
  readonly #channels = new Set<ProfileChannel>();
  readonly #crashed = new Set<string>();
  /** What tabs that stand still have yet to hear. */
  readonly #unheard = new Map<string, (() => void)[]>();

  /** As `navigator.locks` of one tab. */
  locks(tab: string): SlotLocks {
    return {
      request: async (name, options, callback) => {
        await Promise.resolve();
        // What is left of a crashed tab here is a ghost: no lock ever answers it.
        if (this.#crashed.has(tab)) return new Promise(() => undefined);
        const queue = this.#queue(name);
        if (options.ifAvailable === true && queue.length > 0) return callback(null);
        return new Promise((resolve, reject) => {
          const hold = async (): Promise<unknown> => {
            const held = (async () => callback({ name }))();
            resolve(held);
            return held.catch(() => undefined);
          };
          const waiter: Waiter = { tab, hold, holding: false };
          if (options.signal?.aborted === true) {
            reject(new Error('AbortError'));
            return;
          }
          queue.push(waiter);
          options.signal?.addEventListener('abort', () => {
            if (waiter.holding || !queue.includes(waiter)) return;
            queue.splice(queue.indexOf(waiter), 1);
            reject(new Error('AbortError'));
          });
          this.#grant(name);
        });
      },
      query: async () => ({
        held: [...this.#queues].flatMap(([name, queue]) =>
          queue.filter(({ holding }) => holding).map((waiter) => ({ name, clientId: waiter.tab })),
        ),
      }),
    };
  }

  channel(tab: string): SlotChannel {
    const channel = new ProfileChannel(tab, (message) => {
      for (const other of this.#channels) {
        if (other === channel || this.#crashed.has(tab)) continue;
        const unheard = this.#unheard.get(other.tab);
        if (unheard === undefined) other.receive(message);
        else unheard.push(() => other.receive(message));
      }
    });
    this.#channels.add(channel);
    return channel;
  }

  /** The tab hears nothing until it is resumed, and keeps its locks. */
  suspend(tab: string): void {
    this.#unheard.set(tab, []);
  }

  resume(tab: string): void {
    const unheard = this.#unheard.get(tab) ?? [];
    this.#unheard.delete(tab);
    for (const hear of unheard) hear();
  }

  /** The tab is gone without a word: its locks are free, its requests forgotten. */
  crash(tab: string): void {
    this.#crashed.add(tab);
    for (const channel of this.#channels) if (channel.tab === tab) this.#channels.delete(channel);
    for (const [name, queue] of this.#queues) {
      for (const waiter of queue.filter((one) => one.tab === tab)) {
        queue.splice(queue.indexOf(waiter), 1);
      }
      this.#grant(name);
    }
  }

  #queue(name: string): Waiter[] {
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    return queue;
  }

  #grant(name: string): void {
    const queue = this.#queue(name);
    const [next] = queue;
    if (next === undefined || next.holding) return;
    next.holding = true;
    queueMicrotask(() => {
      if (this.#crashed.has(next.tab)) return;
      void next.hold().then(() => {
        if (queue[0] === next) queue.shift();
        this.#grant(name);
      });
    });
  }
}

class ProfileChannel implements SlotChannel {
  readonly tab: string;
  onmessage: ((event: MessageEvent) => void) | null = null;
  readonly #post: (message: SlotMessage) => void;

  constructor(tab: string, post: (message: SlotMessage) => void) {
    this.tab = tab;
    this.#post = post;
  }

  postMessage(message: SlotMessage): void {
    this.#post(message);
  }

  receive(message: SlotMessage): void {
    queueMicrotask(() => this.onmessage?.({ data: message } as MessageEvent));
  }

  close(): void {
    this.onmessage = null;
  }
}
