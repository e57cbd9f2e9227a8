import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageError } from './fields.ts';
import {
  decodeRelayMessage,
  decodeRequest,
  encodeMessage,
  recordBytesMax,
} from './relay-messages.ts';
import type { RelayMessage, Request } from './relay-messages.ts';

const topic = 'ab'.repeat(32);
const nameTag = 'cd'.repeat(16);
const record = Uint8Array.of(1, 2, 3);

const requests: readonly Request[] = [
  { type: 'ping', id: 1 },
  { type: 'read', id: 2, topic, nameTag, beside: false, writesBack: true },
  { type: 'set', id: 3, topic, nameTag, expectedVersion: 0, record, active: true, beside: true },
  { type: 'announce', id: 4, topic, version: 9, record, receipt: Uint8Array.of(3) },
  { type: 'withdraw', id: 5, topic },
  { type: 'list', id: 6, topic },
  { type: 'watch', id: 7, topic },
  { type: 'unwatch', id: 8, topic },
];

const messages: readonly RelayMessage[] = [
  { type: 'greeting', group: null, registerLost: false, certificate: null },
  {
    type: 'greeting',
    group: 'ef'.repeat(16),
    registerLost: true,
    certificate: Uint8Array.of(1, 2),
  },
  { type: 'done', id: 1 },
  { type: 'value', id: 2, current: null, floor: 7, certificate: null },
  {
    ...{ type: 'value', id: 2, current: { version: 3, record, refusedCount: 1 }, floor: 0 },
    certificate: Uint8Array.of(9),
  },
  { type: 'set', id: 3, ok: true, current: null, floor: 0, certificate: Uint8Array.of(8) },
  { type: 'hosts', id: 4, hosts: [{ host: 'peer', version: 1, record }] },
  { type: 'error', id: 5, code: 'BAD_SECRET', message: 'no' },
  { type: 'announced', topic, host: { host: 'peer', version: 1, record } },
];

describe('relay messages', () => {
  test('decodeRequest() and decodeRelayMessage() give back what was encoded', () => {
    for (const request of requests) expect(decodeRequest(encodeMessage(request))).toEqual(request);
    for (const message of messages) {
      expect(decodeRelayMessage(encodeMessage(message))).toEqual(message);
    }
  });

  test('decodeRequest() skips unknown fields and refuses wrong ones', () => {
    const read = { type: 'read', id: 2, topic, nameTag, beside: false, writesBack: true };
    expect(decodeRequest(encode({ ...read, later: true }))).toEqual(read);
    for (const wrong of [
      { ...read, topic: 'AB'.repeat(32) },
      { ...read, topic: `../${'a'.repeat(61)}` },
      { ...read, nameTag: 7 },
      { ...read, id: -1 },
      { ...read, id: 1.5 },
      { ...read, beside: 1 },
      { ...read, type: 'write' },
      { type: 'set', id: 1, topic, nameTag, expectedVersion: 0 },
      { ...requests[2], record: new Uint8Array(recordBytesMax + 1) },
      [read],
      'read',
      null,
    ]) {
      expect(() => decodeRequest(encode(wrong)), JSON.stringify(wrong)).toThrow(MessageError);
    }
  });

  test('a code of a later release is read as BAD_REQUEST', () => {
    const later = encode({ type: 'error', id: 1, code: 'FROM_LATER', message: 'x' });
    expect(decodeRelayMessage(later)).toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('nothing but MessageError is thrown for any bytes', () => {
    const valid = [...requests, ...messages].map(encodeMessage);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .tuple(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 }))
            .map(([bytes, at, flip]) =>
              bytes.map((byte, index) => (index === at % bytes.length ? byte ^ flip : byte)),
            ),
        ),
        (bytes) => {
          for (const read of [decodeRequest, decodeRelayMessage]) {
            try {
              read(bytes);
            } catch (error) {
              expect(error).toBeInstanceOf(MessageError);
            }
          }
        },
      ),
    );
  });
});
