/** Reads the Raft messages in a frame of the `raft` channel, for the checker. */
import type { Message } from '@quorate/core';
import { decodeMessage } from '@quorate/core';

/**
 * `overheadBytes` is what the plain cipher put in front. A fragment of a larger body says nothing by
 * itself and gives no messages.
 */
export function messagesIn(frame: Uint8Array, overheadBytes: number): Message[] {
  const wholeBody = 0;
  if (frame[overheadBytes] !== wholeBody) return [];
  const messages: Message[] = [];
  let at = overheadBytes + 1;
  while (at < frame.length) {
    let byteCount = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = frame[at++] ?? 0;
      byteCount += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    messages.push(decodeMessage(frame.subarray(at, at + byteCount)));
    at += byteCount;
  }
  return messages;
}
