import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageError } from '../wire/fields.ts';
import { decodeSignal, encodeSignal, signalBytesMax } from './signals.ts';
import type { Signal } from './signals.ts';

const signals: readonly Signal[] = [
  { type: 'offer', sdp: 'v=0' },
  { type: 'answer', sdp: '' },
  { type: 'candidate', candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 },
  { type: 'candidate', candidate: 'candidate:1', sdpMid: null, sdpMLineIndex: null },
];

describe('decodeSignal()', () => {
  test('reads what encodeSignal() wrote', () => {
    for (const signal of signals) expect(decodeSignal(encodeSignal(signal))).toEqual(signal);
  });

  test('types of later versions are null, unknown fields skipped', () => {
    expect(decodeSignal(encode({ type: 'restart', why: 1 }))).toBeNull();
    const later = encode({ sdp: 'v=0', type: 'offer', extra: [1] });
    expect(decodeSignal(later)).toEqual({ type: 'offer', sdp: 'v=0' });
  });

  test('whatever is not as wanted is a MessageError', () => {
    for (const wrong of [
      [],
      { type: 1 },
      { type: 'offer' },
      { type: 'offer', sdp: 'x'.repeat(signalBytesMax + 1) },
      { type: 'candidate', sdpMid: '0', sdpMLineIndex: 0 },
      { type: 'candidate', candidate: 'c', sdpMid: 1 },
      { type: 'candidate', candidate: 'c', sdpMid: '0', sdpMLineIndex: 65_536 },
      { type: 'candidate', candidate: 'c', sdpMid: '0', sdpMLineIndex: -1 },
    ]) {
      expect(() => decodeSignal(encode(wrong)), JSON.stringify(wrong)).toThrow(MessageError);
    }
  });

  test('nothing but MessageError is thrown for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeSignal(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
      }),
    );
  });
});
