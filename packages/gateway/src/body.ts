/** Bodies of requests, bounded before they are buffered: each one, and all of them together. */
import { QuorateError } from '@quorate/contracts';
import type { IncomingMessage } from 'node:http';
import { badRequest } from './problem.ts';
import { parseJson } from './strict-json.ts';

export class BodyReader {
  readonly #bytesMax: number;
  readonly #totalBytesMax: number;
  #totalBytes = 0;

  constructor(bytesMax: number, totalBytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#totalBytesMax = totalBytesMax;
  }

  /**
   * The body as JSON, an empty one as `{}`. Errors: `LIMIT_EXCEEDED` (as soon as the length is
   * announced or passed), `OVERLOADED` where other bodies fill the memory, `BAD_REQUEST`.
   */
  async json(request: IncomingMessage): Promise<unknown> {
    const bytes = await this.#bytes(request);
    if (bytes.length === 0) return {};
    try {
      return parseJson(utf8.decode(bytes), 'body');
    } catch (error) {
      // A member that is there twice, or a number that would change, says where.
      if (error instanceof TypeError && error.message.startsWith('Cannot read body')) throw error;
      throw badRequest('Cannot read the body: wanted JSON in UTF-8');
    }
  }

  async #bytes(request: IncomingMessage): Promise<Buffer> {
    if (request.headers['content-encoding'] !== undefined) {
      throw badRequest('Cannot read a compressed body: wanted it as it is');
    }
    this.#check(Number(request.headers['content-length'] ?? 0));
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      // A refused body must not take the connection along: the refusal still has to leave.
      const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
      for await (const chunk of pieces) {
        length += chunk.length;
        this.#totalBytes += chunk.length;
        this.#check(length);
        if (this.#totalBytes > this.#totalBytesMax) {
          throw new QuorateError('OVERLOADED', 'Too many large requests at once, try again');
        }
        chunks.push(chunk);
      }
      return Buffer.concat(chunks, length);
    } finally {
      this.#totalBytes -= length;
    }
  }

  #check(length: number): void {
    if (length > this.#bytesMax) {
      throw new QuorateError(
        'LIMIT_EXCEEDED',
        `Cannot take a body of ${length} bytes: wanted at most ${this.#bytesMax}`,
      );
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
