/** Answers to many calls of one request: one line of JSON each, joined into few writes. */
import type { WireAnswer } from '@quorate/client';
import type { ServerResponse } from 'node:http';

export class AnswerStream {
  readonly #response: ServerResponse;
  #missing: number;
  #lines = '';
  #flushScheduled = false;

  /** `count`: how many answers there will be. */
  constructor(response: ServerResponse, count: number) {
    this.#response = response;
    this.#missing = count;
    if (count === 0) this.#flush();
  }

  push(answer: WireAnswer): void {
    this.#missing--;
    this.#lines += `${JSON.stringify(answer)}\n`;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // After all promises that settled together have said theirs.
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    const lines = this.#lines;
    this.#lines = '';
    const response = this.#response;
    if (response.destroyed) return;
    if (!response.headersSent) {
      response.setHeader('content-type', 'application/x-ndjson');
      if (this.#missing === 0) response.setHeader('content-length', Buffer.byteLength(lines));
    }
    if (this.#missing === 0) response.end(lines);
    else response.write(lines);
  }
}
