/**
 * Answers to many calls of one request: one line of JSON each, joined into few writes. A line is made
 * when the connection took the ones before it.
 */
import type { ServerResponse } from 'node:http';
import { partLength } from './answer.ts';
import type { Answer } from './answer.ts';
import type { ConnectionRoom } from './answer-room.ts';
import { send } from './body-stream.ts';

export type AnswerStreamOptions = {
  readonly response: ServerResponse;
  /** How many answers there will be. */
  readonly count: number;
  readonly room: ConnectionRoom;
  readonly gone: AbortSignal;
  /** The answers cannot be written: half of them is none. */
  readonly broken: (error: unknown) => void;
};

type Line = { readonly head: string; readonly answer: Answer; readonly takenBytes: number };

export class AnswerStream {
  readonly #options: AnswerStreamOptions;
  readonly #lines: Line[] = [];
  #missing: number;
  #busy = false;
  /** Of lines that are text now and have not left. */
  #bytesAsText = 0;

  constructor(options: AnswerStreamOptions) {
    this.#options = options;
    this.#missing = options.count;
    if (options.count === 0) this.#start();
  }

  /** Room was taken for it; it is given back when the answer has left. */
  result(call: number, answer: Answer): void {
    this.#push({ head: `{"call":${call},"result":`, answer, takenBytes: answer.bytes });
  }

  error(call: number, answer: Answer): void {
    this.#push({ head: `{"call":${call},"error":`, answer, takenBytes: 0 });
  }

  #push(line: Line): void {
    this.#missing--;
    this.#lines.push(line);
    this.#start();
  }

  #start(): void {
    if (this.#busy) return;
    this.#busy = true;
    // After all promises that settled together have said theirs.
    process.nextTick(() => {
      this.#write().catch(this.#options.broken);
    });
  }

  async #write(): Promise<void> {
    const { response } = this.#options;
    let text = '';
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      text += line.head;
      for (const part of line.answer.parts()) {
        text += part;
        if (text.length < partLength) continue;
        await this.#send(text);
        text = '';
      }
      text += '}\n';
      this.#bytesAsText += line.takenBytes;
    }
    if (response.destroyed) return;
    if (this.#missing > 0) {
      await this.#send(text);
      this.#busy = false;
      // Others came meanwhile.
      if (this.#lines.length > 0) this.#start();
      return;
    }
    if (!response.headersSent) {
      response.setHeader('content-type', contentType);
      response.setHeader('content-length', Buffer.byteLength(text));
    }
    response.end(text);
    this.#left();
  }

  async #send(text: string): Promise<void> {
    const { response, gone } = this.#options;
    if (!response.headersSent) response.setHeader('content-type', contentType);
    await send(response, text, gone);
    this.#left();
  }

  #left(): void {
    this.#options.room.give(this.#bytesAsText);
    this.#bytesAsText = 0;
  }
}

/** The answer to a request of one call. Rejects as `send` does. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  gone: AbortSignal,
): Promise<void> {
  response.setHeader('content-type', 'application/json');
  let text = '';
  for (const part of answer.parts()) {
    text += part;
    if (text.length < partLength) continue;
    await send(response, text, gone);
    text = '';
  }
  if (!response.headersSent) response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

const contentType = 'application/x-ndjson';
