import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64Url, toBase64Url } from './bytes.ts';
import { generateSecret, parseSecret } from './secret-text.ts';
import { readRing } from './secret.ts';

const random = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('generateSecret()', () => {
  test('prints what parseSecret() reads back, of one form and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        fc.pre(bytes.some((byte) => byte !== bytes[0]));
        const text = generateSecret(() => bytes);
        expect(text).toMatch(/^qs1_[A-Za-z0-9_-]{48}$/);
        expect(parseSecret(text)).toEqual(bytes);
      }),
    );
  });

  test('keeps its format: known bytes give a known text', () => {
    const text = generateSecret((count) => Uint8Array.from({ length: count }, (_, at) => at));
    expect(text).toBe('qs1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8VN8Oj');
  });

  test('throws where chance does not give 32 bytes, or gives none', () => {
    expect(() => generateSecret(() => new Uint8Array(31))).toThrow(TypeError);
    expect(() => generateSecret((count) => new Uint8Array(count))).toThrow(
      /all its bytes are equal/,
    );
  });
});

describe('parseSecret()', () => {
  test('refuses every typo of one character', () => {
    const text = generateSecret(random);
    for (let at = 0; at < text.length; at++) {
      for (const digit of ['A', 'z', '0', '-', '_', '.', ' ']) {
        if (text[at] === digit) continue;
        const typo = text.slice(0, at) + digit + text.slice(at + 1);
        expect(() => parseSecret(typo), typo).toThrow(TypeError);
      }
    }
  });

  test('refuses two characters swapped, one missing, one too many', () => {
    const text = generateSecret(random);
    for (let at = 4; at < text.length - 1; at++) {
      if (text[at] === text[at + 1]) continue;
      const swapped = text.slice(0, at) + text[at + 1]! + text[at]! + text.slice(at + 2);
      expect(() => parseSecret(swapped)).toThrow(/checksum/);
    }
    expect(() => parseSecret(text.slice(0, -1))).toThrow(/47 characters/);
    expect(() => parseSecret(`${text}A`)).toThrow(/49 characters/);
  });

  test('ignores white space around the text, as a file has it', () => {
    const text = generateSecret(random);
    expect(parseSecret(`  ${text}\r\n`)).toEqual(parseSecret(text));
  });

  test('points a passphrase to deriveSecret() and never repeats what it was given', () => {
    const passphrase = 'correct horse battery staple';
    expect(() => parseSecret(passphrase)).toThrow(/deriveSecret\(\)/);
    for (const text of [
      passphrase,
      'qs1_hunter2',
      `qs1_${'!'.repeat(48)}`,
      `qs1_${'B'.repeat(48)}`,
    ]) {
      let message = '';
      try {
        parseSecret(text);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toBe('');
      expect(message).not.toContain(text.replace('qs1_', ''));
    }
  });

  test('throws nothing but TypeError for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((rest) => `qs1_${rest}`),
        ),
        (text) => {
          expect(() => parseSecret(text)).toThrow(TypeError);
        },
      ),
    );
  });
});

describe('readRing()', () => {
  test('T29 refuses a secret that comes twice, as text or as bytes, and never shows it', () => {
    const text = generateSecret(random);
    const ring = [text, 'public', parseSecret(text)];
    expect(() => readRing(ring, 'alpha')).toThrow(
      new TypeError('Cannot use the ring: secret 3 repeats secret 1, wanted each once'),
    );
  });

  const bytes = random(32);

  test('takes bytes, text and public, alone or in a list, in their order', () => {
    const text = generateSecret(random);
    const ring = readRing([bytes, text, 'public'], 'alpha');
    expect(ring).toEqual([bytes, parseSecret(text), readRing('public', 'alpha')[0]]);
    expect(readRing(text, 'alpha')).toEqual([parseSecret(text)]);
  });

  test('derives the public secret from the name of the namespace alone', () => {
    expect(readRing('public', 'alpha')).toEqual(readRing(['public'], 'alpha'));
    expect(readRing('public', 'alpha')).not.toEqual(readRing('public', 'beta'));
  });

  test('copies bytes, so that later changes of the caller change nothing', () => {
    const own = bytes.slice();
    const [secret] = readRing(own, 'alpha');
    own.fill(1);
    expect(secret).toEqual(bytes);
  });

  test('drops repetitions and refuses rings of none or of more than 8', () => {
    expect(() => readRing([], 'alpha')).toThrow(RangeError);
    const nine = Array.from({ length: 9 }, () => random(32));
    expect(() => readRing(nine, 'alpha')).toThrow(RangeError);
    expect(readRing(nine.slice(1), 'alpha')).toHaveLength(8);
  });

  test('refuses what is no secret', () => {
    for (const wrong of [
      new Uint8Array(32),
      random(31),
      random(33),
      'secret',
      7,
      null,
      undefined,
    ]) {
      expect(() => readRing(wrong as Uint8Array, 'alpha')).toThrow(TypeError);
    }
  });
});

describe('base64url', () => {
  test('agrees with Node for all lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = toBase64Url(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64url'));
        if (bytes.length % 3 === 0) expect(fromBase64Url(text)).toEqual(bytes);
      }),
    );
    expect(fromBase64Url(digits)).toEqual(Uint8Array.from(Buffer.from(digits, 'base64url')));
    for (const wrong of ['A', 'AAA', 'AAA=', 'AA+A', 'AA/A', 'AA A', 'AAÄA']) {
      expect(fromBase64Url(wrong)).toBeNull();
    }
  });
});
