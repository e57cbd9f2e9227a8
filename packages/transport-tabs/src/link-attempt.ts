/**
 * A link in the making. Who asks opens a channel for it and posts a hello at the other's door; who
 * is asked answers `accept` on that channel; who asked says `confirm` there and has its link; who
 * was asked has it when that arrives. So each side has seen a round trip before it believes.
 */
import type { Clock, HostId } from '@quorate/contracts';
import { parseLinkMessage } from './messages.ts';
import type { LinkMessage } from './messages.ts';

export type AttemptResult = {
  readonly wire: BroadcastChannel;
  readonly roundTripMs: number;
  /** The lock that the other host holds while it lives, if it has one. */
  readonly lock: string | null;
};

export type LinkAttemptOptions = {
  readonly host: HostId;
  readonly initiator: boolean;
  readonly wire: BroadcastChannel;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The lock that this host holds. */
  readonly lock: string | null;
  /** Called before anything else arrives on the channel: its messages are the new owner's. */
  made(attempt: LinkAttempt, result: AttemptResult): void;
  /** Called once if it is not made in time. */
  failed(attempt: LinkAttempt): void;
};

export class LinkAttempt {
  readonly host: HostId;
  readonly initiator: boolean;
  readonly #options: LinkAttemptOptions;
  readonly #startMs: number;
  #cancelTimer: () => void;
  #over = false;

  constructor(options: LinkAttemptOptions) {
    this.host = options.host;
    this.initiator = options.initiator;
    this.#options = options;
    this.#startMs = options.clock.now();
    this.#cancelTimer = options.clock.setTimeout(() => {
      this.cancel();
      options.failed(this);
    }, options.timeoutMs);
    options.wire.onmessage = ({ data }: MessageEvent) => this.#receive(parseLinkMessage(data));
    if (!options.initiator) options.wire.postMessage(this.#word('accept'));
  }

  /** Gives it up without a word. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer();
    this.#options.wire.close();
  }

  #receive(message: LinkMessage | null): void {
    if (this.#over || message === null) return;
    if (message.type === 'bye') {
      this.cancel();
      this.#options.failed(this);
      return;
    }
    if (message.type !== (this.initiator ? 'accept' : 'confirm')) return;
    this.#over = true;
    this.#cancelTimer();
    const { wire, clock } = this.#options;
    if (this.initiator) wire.postMessage(this.#word('confirm'));
    const roundTripMs = clock.now() - this.#startMs;
    this.#options.made(this, { wire, roundTripMs, lock: message.lock });
  }

  #word(type: 'accept' | 'confirm'): LinkMessage {
    return { type, lock: this.#options.lock };
  }
}
