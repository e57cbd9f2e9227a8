/** What a peer that speaks the relay's protocol by hand writes on its stream. */
import type { Connection, Stream } from '@libp2p/interface';
import { encodeMessage, relayProtocol } from '../src/wire/relay-messages.ts';
import type { Request } from '../src/wire/relay-messages.ts';
import { writeLength } from '../src/wire/frames.ts';
import { testCipher } from './test-cipher.ts';

export function requestFrame(request: Request): Uint8Array {
  const message = encodeMessage(request);
  const frame = new Uint8Array(message.length + 5);
  const start = writeLength(frame, 0, message.length);
  frame.set(message, start);
  return frame.subarray(0, start + message.length);
}

/** Announces the host of this connection for as long as the stream is open. */
export async function announceOver(connection: Connection): Promise<Stream> {
  const cipher = testCipher('announced', 'by hand');
  const stream = await connection.newStream(relayProtocol);
  const record = cipher.sealRecord('announce', 1, new Uint8Array(8));
  const greeted = new Promise((resolve) => {
    stream.addEventListener('message', resolve, { once: true });
  });
  await greeted;
  const answered = new Promise((resolve) => {
    stream.addEventListener('message', resolve, { once: true });
  });
  const { topic } = cipher;
  stream.send(requestFrame({ type: 'announce', id: 1, topic, version: 1, record, receipt: null }));
  await answered;
  return stream;
}
