/** One link: three framed streams on one connection, pinged so that its death is noticed. */
import { assert } from '@quorate/contracts';
import type { Channel, Clock, HostId, Link, LinkKind } from '@quorate/contracts';
import type { FramedStream, FramedStreamEvents } from './framed-stream.ts';
import { channels, controls } from './link-protocol.ts';
import { closeGraceMs } from './options.ts';
import type { LinkTiming } from './options.ts';

export type LinkStreams = Readonly<Record<Channel, FramedStream>>;

export type LinkOwner = {
  frame(link: Libp2pLink, channel: Channel, frame: Uint8Array): void;
  drained(link: Libp2pLink, channel: Channel): void;
  /** Called once, whoever ended it. */
  down(link: Libp2pLink, reason: string): void;
};

export type LinkOptions = {
  readonly host: HostId;
  readonly kind: LinkKind;
  readonly initiator: boolean;
  readonly streams: LinkStreams;
  readonly clock: Clock;
  readonly timing: LinkTiming;
  readonly frameBytesMax: number;
  readonly owner: LinkOwner;
};

const reasonBytesMax = 120;

export class Libp2pLink implements Link {
  readonly host: HostId;
  readonly kind: LinkKind;
  readonly initiator: boolean;
  readonly #streams: LinkStreams;
  readonly #clock: Clock;
  readonly #timing: LinkTiming;
  readonly #frameBytesMax: number;
  readonly #owner: LinkOwner;
  #state: 'up' | 'down' = 'up';
  #roundTripMs: number | undefined;
  #lastHeardMs: number;
  #lastCheckMs: number;
  #pingNumber = 0;
  #pingSentMs: number | null = null;
  #cancelTimer: () => void = () => {};
  /** Channels on which the other side has said goodbye. */
  readonly #finished = new Set<Channel>();
  #goodbye: string | null = null;

  constructor(options: LinkOptions) {
    this.host = options.host;
    this.kind = options.kind;
    this.initiator = options.initiator;
    this.#streams = options.streams;
    this.#clock = options.clock;
    this.#timing = options.timing;
    this.#frameBytesMax = options.frameBytesMax;
    this.#owner = options.owner;
    this.#lastHeardMs = this.#clock.now();
    this.#lastCheckMs = this.#lastHeardMs;
    for (const channel of channels) this.#streams[channel].setEvents(this.#eventsOf(channel));
    this.#check();
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    assert(
      frame.length > 0 && frame.length <= this.#frameBytesMax,
      'a frame holds 1 to frameBytesMax bytes',
    );
    return this.#state === 'up' && this.#streams[channel].send(frame);
  }

  unsentBytes(channel: Channel): number {
    return this.#state === 'up' ? this.#streams[channel].unsentBytes : 0;
  }

  /** Lets what was sent arrive, says goodbye on every channel, and ends this side at once. */
  close(reason: string): void {
    if (this.#state === 'down') return;
    const words = new TextEncoder().encode(reason).subarray(0, reasonBytesMax);
    for (const channel of channels) {
      this.#streams[channel].sendControl(controls.goodbye, words);
      this.#streams[channel].close(closeGraceMs);
    }
    this.#goDown(reason);
  }

  /** Ends a link that is beyond words. */
  abort(reason: string): void {
    if (this.#state === 'down') return;
    for (const channel of channels) this.#streams[channel].abort(reason);
    this.#goDown(reason);
  }

  #goDown(reason: string): void {
    this.#state = 'down';
    this.#cancelTimer();
    this.#owner.down(this, reason);
  }

  #eventsOf(channel: Channel): FramedStreamEvents {
    return {
      prefix: () => {},
      frame: (frame) => {
        if (this.#state === 'down') return;
        this.#lastHeardMs = this.#clock.now();
        this.#owner.frame(this, channel, frame);
      },
      control: (type, payload) => {
        if (this.#state === 'up') this.#control(channel, type, payload);
      },
      drained: () => {
        if (this.#state === 'up') this.#owner.drained(this, channel);
      },
      ended: (reason) => {
        // An end without a goodbye is a dead process or a broken connection.
        if (this.#state === 'up' && !this.#finished.has(channel)) {
          this.abort(this.#goodbye ?? reason);
        }
      },
    };
  }

  #control(channel: Channel, type: number, payload: Uint8Array): void {
    this.#lastHeardMs = this.#clock.now();
    if (type === controls.ping) {
      this.#streams[channel].sendControl(controls.pong, payload);
    } else if (type === controls.pong) {
      this.#measure(payload);
    } else if (type === controls.goodbye) {
      this.#goodbye ??= new TextDecoder().decode(payload);
      this.#finish(channel);
    }
    // Other types belong to later versions, and are skipped.
  }

  /** The link ends when every channel has: what was sent before a goodbye still arrives. */
  #finish(channel: Channel): void {
    this.#finished.add(channel);
    if (this.#finished.size < channels.length) return;
    for (const each of channels) this.#streams[each].close(closeGraceMs);
    this.#goDown(this.#goodbye ?? 'ended');
  }

  #measure(payload: Uint8Array): void {
    if (this.#pingSentMs === null || payload[0] !== (this.#pingNumber & 0xff)) return;
    const sampleMs = this.#clock.now() - this.#pingSentMs;
    this.#pingSentMs = null;
    this.#roundTripMs =
      this.#roundTripMs === undefined ? sampleMs : this.#roundTripMs * 0.8 + sampleMs * 0.2;
  }

  /** Pings, and gives up a link that answers nothing. */
  #check(): void {
    const nowMs = this.#clock.now();
    // A process that was itself asleep has heard nobody: it asks again before it judges.
    const wasAsleep = nowMs - this.#lastCheckMs > 2 * this.#timing.pingIntervalMs;
    this.#lastCheckMs = nowMs;
    if (wasAsleep)
      this.#lastHeardMs = Math.max(this.#lastHeardMs, nowMs - this.#timing.silentAfterMs / 2);
    if (nowMs - this.#lastHeardMs >= this.#timing.silentAfterMs) {
      this.abort('silent');
      return;
    }
    if (this.#pingSentMs === null || nowMs - this.#pingSentMs >= this.#timing.silentAfterMs) {
      this.#pingNumber += 1;
      this.#pingSentMs = nowMs;
    }
    this.#streams.raft.sendControl(controls.ping, Uint8Array.of(this.#pingNumber & 0xff));
    this.#cancelTimer = this.#clock.setTimeout(() => this.#check(), this.#timing.pingIntervalMs);
  }
}
