import { describe, expect, test } from 'vitest';
import { ByteWriter } from './bytes.ts';

describe('ByteWriter.text()', () => {
  test.each([
    '',
    'a',
    'plain/key',
    'é',
    'aé',
    '鍵',
    'a'.repeat(127),
    'a'.repeat(128),
    '\u007f\u0080',
  ])('writes %j as the length of its UTF-8 and that', (text) => {
    const written = new ByteWriter(1);
    written.byte(7);
    written.text(text);
    written.byte(9);
    const expected = new ByteWriter();
    expected.byte(7);
    expected.bytes(new TextEncoder().encode(text));
    expected.byte(9);
    expect(written.take()).toEqual(expected.take());
  });
});
