/**
 * What all watches of a gateway hold: the events that their connections have not taken yet. Watches that
 * are told the same share the bytes of it, so what counts is what is different. Where that is too much,
 * the watch that waits longest is ended, and its client goes on where it was, here or elsewhere.
 */
import { batchToWire } from '@quorate/client';
import type { WatchBatch } from '@quorate/kv';
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { partLength } from './answer.ts';
import { overloaded } from './problem.ts';

type Waiting = { readonly bytes: Buffer; readonly end: (reason: Error) => void };

export class WatchRoom {
  readonly #bytesMax: number;
  readonly #stallMs: number;
  /** What was told last, by what it is. */
  readonly #told = new Map<string, Buffer>();
  #toldBytes = 0;
  /** Those whose connection is full, the longest first. */
  readonly #waiting = new Set<Waiting>();
  /** How many wait with each. */
  readonly #holders = new Map<Buffer, number>();
  #heldBytes = 0;
  /** Written in this turn of the event loop. */
  #turnBytes = 0;
  #isTurning = false;
  readonly #next: (() => void)[] = [];

  constructor(bytesMax: number, stallMs: number = stallMsDefault) {
    this.#bytesMax = bytesMax;
    this.#stallMs = stallMs;
  }

  /** Of events that were not taken yet, each once. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** `batch` as an event, made once for all watches of a cluster that are told the same. */
  eventOf(batch: WatchBatch, id: string): Buffer {
    // A revision writes a key once: which keys, and whether with what was before, says everything.
    const [first] = batch.events;
    const before = first !== undefined && 'previous' in first;
    const name = JSON.stringify([id, before, ...batch.events.map(({ key }) => key)]);
    const known = this.#told.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(`id: ${id}\ndata: ${JSON.stringify(batchToWire(batch))}\n\n`);
    this.#told.set(name, bytes);
    this.#toldBytes += bytes.length;
    for (const [oldest, old] of this.#told) {
      if (this.#toldBytes <= toldBytesMax || oldest === name) break;
      this.#told.delete(oldest);
      this.#toldBytes -= old.length;
    }
    return bytes;
  }

  /**
   * Sends an event and resolves once the next one may follow. Rejects with `OVERLOADED` where this watch
   * waits longest of too many, or takes nothing for a minute; and when `signal` is aborted.
   */
  async send(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await this.#turn(bytes.length);
    if (signal.aborted || response.write(bytes)) return;
    const given = new AbortController();
    const waiting: Waiting = { bytes, end: (reason) => given.abort(reason) };
    const timer = setTimeout(() => waiting.end(tooSlow('it took nothing')), this.#stallMs);
    this.#hold(waiting);
    try {
      await once(response, 'drain', { signal: AbortSignal.any([signal, given.signal]) });
    } catch (error) {
      throw given.signal.aborted ? given.signal.reason : error;
    } finally {
      clearTimeout(timer);
      this.#release(waiting);
    }
  }

  /**
   * Resolves when so many bytes may be written. A thousand watches of one write take their time: what
   * else waits for this process, heartbeats of the leader first, comes in between.
   */
  async #turn(bytes: number): Promise<void> {
    if (this.#turnBytes < turnBytesMax) this.#turnBytes += bytes;
    else {
      // Invariant: while bytes were written in this turn another one is scheduled.
      await new Promise<void>((resolve) => {
        this.#next.push(() => {
          this.#turnBytes += bytes;
          resolve();
        });
      });
    }
    this.#turnLater();
  }

  #turnLater(): void {
    if (this.#isTurning || this.#turnBytes === 0) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      this.#turnBytes = 0;
      while (this.#turnBytes < turnBytesMax) {
        const resume = this.#next.shift();
        if (resume === undefined) break;
        resume();
      }
      this.#turnLater();
    });
  }

  #hold(one: Waiting): void {
    this.#waiting.add(one);
    const holders = this.#holders.get(one.bytes) ?? 0;
    this.#holders.set(one.bytes, holders + 1);
    if (holders === 0) this.#heldBytes += one.bytes.length;
    for (const longest of this.#waiting) {
      if (this.#heldBytes <= this.#bytesMax || longest === one) return;
      longest.end(tooSlow(`watches hold more than ${this.#bytesMax} bytes`));
      this.#release(longest);
    }
  }

  #release(one: Waiting): void {
    if (!this.#waiting.delete(one)) return;
    const holders = (this.#holders.get(one.bytes) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(one.bytes, holders);
      return;
    }
    this.#holders.delete(one.bytes);
    this.#heldBytes -= one.bytes.length;
  }
}

/** A whole state as an event, in parts: it may be larger than what a connection takes at once. */
export function* initialEvent(batch: WatchBatch, head: string): Generator<string, undefined> {
  const { revision, initial } = batch;
  let text = `${head}data: {"revision":${revision},"initial":${initial},"events":[`;
  for (const [at, event] of batch.events.entries()) {
    const [wire] = batchToWire({ ...batch, events: [event] }).events;
    text += `${at === 0 ? '' : ','}${JSON.stringify(wire)}`;
    if (text.length < partLength) continue;
    yield text;
    text = '';
  }
  yield `${text}]}\n\n`;
}

function tooSlow(why: string): Error {
  return overloaded('watchBytesMax', `The watch was ended: it was the slowest, and ${why}`);
}

const stallMsDefault = 60_000;
/** Others of the same turn, and those a little behind, find it. */
const turnBytesMax = 1024 * 1024;
const toldBytesMax = 4 * 1024 * 1024;
