/** One link: a BroadcastChannel with two ends, credit for back-pressure, pings to notice a death. */
import { assert } from '@quorate/contracts';
import type { Channel, Clock, HostId, Link } from '@quorate/contracts';
import { channels } from './messages.ts';
import type { LinkMessage } from './messages.ts';
import { OutgoingFrames } from './outgoing-frames.ts';
import { creditBytes, frameBytesMax } from './timing.ts';
import type { TabsTiming } from './timing.ts';

export type LinkOwner = {
  frame(link: TabsLink, channel: Channel, frame: Uint8Array): void;
  drained(link: TabsLink, channel: Channel): void;
  /** Called once, whoever ended it. */
  down(link: TabsLink, reason: string): void;
};

export type TabsLinkOptions = {
  readonly host: HostId;
  readonly initiator: boolean;
  /** The link's own channel. Closed with the link. */
  readonly wire: BroadcastChannel;
  /** How long the round trip of its making took. */
  readonly roundTripMs: number | undefined;
  readonly clock: Clock;
  readonly timing: TabsTiming;
  readonly owner: LinkOwner;
};

export class TabsLink implements Link {
  readonly host: HostId;
  readonly kind = 'tabs';
  readonly initiator: boolean;
  readonly #wire: BroadcastChannel;
  readonly #clock: Clock;
  readonly #timing: TabsTiming;
  readonly #owner: LinkOwner;
  readonly #outgoing: Readonly<Record<Channel, OutgoingFrames>> = {
    raft: new OutgoingFrames(),
    rpc: new OutgoingFrames(),
    bulk: new OutgoingFrames(),
  };
  /** Bytes read that the other end has not been told of. */
  readonly #read: Record<Channel, number> = { raft: 0, rpc: 0, bulk: 0 };
  #state: 'up' | 'down' = 'up';
  #flushing = false;
  #roundTripMs: number | undefined;
  #lastHeardMs: number;
  #lastCheckMs: number;
  #pingNumber = 0;
  #pingSentMs: number | null = null;
  #cancelTimer: () => void = () => {};

  constructor(options: TabsLinkOptions) {
    this.host = options.host;
    this.initiator = options.initiator;
    this.#wire = options.wire;
    this.#clock = options.clock;
    this.#timing = options.timing;
    this.#owner = options.owner;
    this.#roundTripMs = options.roundTripMs;
    this.#lastHeardMs = this.#clock.now();
    this.#lastCheckMs = this.#lastHeardMs;
    this.#cancelTimer = this.#clock.setTimeout(() => this.#check(), this.#timing.pingIntervalMs);
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    assert(
      frame.length > 0 && frame.length <= frameBytesMax,
      'a frame holds 1 to frameBytesMax bytes',
    );
    if (this.#state === 'down' || !this.#outgoing[channel].push(frame)) return false;
    this.#flushSoon();
    return true;
  }

  unsentBytes(channel: Channel): number {
    return this.#state === 'up' ? this.#outgoing[channel].queuedBytes : 0;
  }

  /** Posts what was sent and a goodbye, at once: a page that is being left has no later (Z6). */
  close(reason: string): void {
    if (this.#state === 'down') return;
    for (const channel of channels) this.#postFrames(channel, this.#outgoing[channel].takeAll());
    this.#post({ type: 'bye', reason });
    this.goDown(reason);
  }

  /** Ends this side without a word. */
  goDown(reason: string): void {
    if (this.#state === 'down') return;
    this.#state = 'down';
    this.#cancelTimer();
    this.#wire.close();
    this.#owner.down(this, reason);
  }

  /** A message of the other end. */
  receive(message: LinkMessage): void {
    if (this.#state === 'down') return;
    this.#lastHeardMs = this.#clock.now();
    switch (message.type) {
      case 'frames':
        this.#receiveFrames(message.channel, message.frames);
        break;
      case 'credit':
        this.#outgoing[message.channel].credit(message.bytes);
        this.#flush();
        break;
      case 'ping':
        this.#post({ type: 'pong', number: message.number });
        break;
      case 'pong':
        this.#measure(message.number);
        break;
      case 'bye':
        this.goDown(message.reason);
        break;
      case 'accept':
      case 'confirm':
        // Said once more; it is up already.
        break;
    }
  }

  /** Sends of one turn travel together. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const channel of channels) {
      if (this.#state === 'down') return;
      const outgoing = this.#outgoing[channel];
      this.#postFrames(channel, outgoing.take());
      if (outgoing.hasDrained()) this.#owner.drained(this, channel);
    }
  }

  #postFrames(channel: Channel, frames: readonly Uint8Array[]): void {
    if (frames.length > 0) this.#post({ type: 'frames', channel, frames: frames.map(whole) });
  }

  #post(message: LinkMessage): void {
    this.#wire.postMessage(message);
  }

  #receiveFrames(channel: Channel, frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      if (frame.length === 0 || frame.length > frameBytesMax) {
        this.close('a frame of a wrong size');
        return;
      }
      this.#owner.frame(this, channel, frame);
      // The handler may have closed the link.
      if ((this.#state as string) === 'down') return;
      this.#read[channel] += frame.length;
    }
    const bytes = this.#read[channel];
    if (bytes < creditBytes) return;
    this.#read[channel] = 0;
    this.#post({ type: 'credit', channel, bytes });
  }

  #measure(number: number): void {
    if (this.#pingSentMs === null || number !== this.#pingNumber) return;
    const sampleMs = this.#clock.now() - this.#pingSentMs;
    this.#pingSentMs = null;
    this.#roundTripMs =
      this.#roundTripMs === undefined ? sampleMs : this.#roundTripMs * 0.8 + sampleMs * 0.2;
  }

  /** Pings, and gives up a link that answers nothing. */
  #check(): void {
    const nowMs = this.#clock.now();
    // A tab that was itself asleep has heard nobody: it asks again before it judges.
    const wasAsleep = nowMs - this.#lastCheckMs > 2 * this.#timing.pingIntervalMs;
    this.#lastCheckMs = nowMs;
    if (wasAsleep) {
      this.#lastHeardMs = Math.max(this.#lastHeardMs, nowMs - this.#timing.silentAfterMs / 2);
    }
    if (nowMs - this.#lastHeardMs >= this.#timing.silentAfterMs) {
      // Frozen rather than gone, it may read this one day; the frames would be old by then.
      this.#post({ type: 'bye', reason: 'silent' });
      this.goDown('silent');
      return;
    }
    this.#pingNumber += 1;
    this.#pingSentMs = nowMs;
    this.#post({ type: 'ping', number: this.#pingNumber });
    this.#cancelTimer = this.#clock.setTimeout(() => this.#check(), this.#timing.pingIntervalMs);
  }
}

/** A clone takes the whole buffer along, however small the view. */
function whole(frame: Uint8Array): Uint8Array {
  return frame.byteLength === frame.buffer.byteLength ? frame : frame.slice();
}
