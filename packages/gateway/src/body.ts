/**
 * Bodies of requests, bounded before they are buffered: each one, and all of them together for as long as
 * what they ask for is under way. A body's values are in the memory several times by then: as JSON, as a
 * command, in the log, on their way to other members.
 */
import { QuorateError } from '@quorate/contracts';
import type { IncomingMessage } from 'node:http';
import { badRequest } from './problem.ts';
import { RequestRoom } from './request-room.ts';
import { parseJson } from './strict-json.ts';

export class BodyReader {
  readonly #bytesMax: number;
  readonly room: RequestRoom;

  constructor(bytesMax: number, totalBytesMax: number, waitMs: number) {
    this.#bytesMax = bytesMax;
    this.room = new RequestRoom(totalBytesMax, waitMs);
  }

  /**
   * Hands the body as JSON, an empty one as `{}`, to `carryOut`, and counts its bytes until that is done.
   * Errors: `LIMIT_EXCEEDED` (as soon as the length is announced or passed), `OVERLOADED` where other
   * requests fill the memory for long, `ABORTED` where the caller does not wait for that, `BAD_REQUEST`,
   * and what `carryOut` rejects with.
   */
  async use<T>(
    request: IncomingMessage,
    gone: AbortSignal,
    carryOut: (json: unknown) => Promise<T>,
  ): Promise<T> {
    if (request.headers['content-encoding'] !== undefined) {
      throw badRequest('Cannot read a compressed body: wanted it as it is');
    }
    const announced = Number(request.headers['content-length'] ?? 0);
    this.#check(announced);
    // What is announced counts at once: nothing is read of bodies that cannot all be held.
    await this.room.enter(announced, gone);
    const held = { bytes: announced };
    try {
      return await carryOut(jsonOf(await this.#bytes(request, held)));
    } finally {
      this.room.leave(held.bytes);
    }
  }

  async #bytes(request: IncomingMessage, held: { bytes: number }): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    // A refused body must not take the connection along: the refusal still has to leave.
    const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of pieces) {
      length += chunk.length;
      this.#check(length);
      if (length > held.bytes) {
        this.room.add(length - held.bytes);
        held.bytes = length;
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
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

function jsonOf(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  try {
    return parseJson(utf8.decode(bytes), 'body');
  } catch (error) {
    // A member that is there twice, or a number that would change, says where.
    if (error instanceof TypeError && error.message.startsWith('Cannot read body')) throw error;
    throw badRequest('Cannot read the body: wanted JSON in UTF-8');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
