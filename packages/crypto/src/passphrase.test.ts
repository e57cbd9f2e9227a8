import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { deriveSecret } from './passphrase.ts';
import { differentMin, varietyMin, varietyOf } from './variety.ts';

const passphrase = 'sixteen letters!';

describe('deriveSecret()', () => {
  test('keeps its format: a known passphrase gives a known secret (Z34)', async () => {
    const fractions: number[] = [];
    const secret = await deriveSecret(passphrase, 'alpha', {
      onProgress: (fraction) => fractions.push(fraction),
    });
    expect(bytesToHex(secret)).toBe(
      '9069bf81e5446d90fe5c14b4a8302d0db6c15ebd2c969356cdbecc4f38c63e39',
    );
    expect(fractions.at(-1)).toBe(1);
    expect(fractions.every((fraction, at) => fraction >= (fractions[at - 1] ?? 0))).toBe(true);
  });

  test('gives another secret in another namespace, the same for another Unicode form', async () => {
    const composed = await deriveSecret('vingt-cinq \u00e9l\u00e8ves', 'alpha');
    const decomposed = await deriveSecret('vingt-cinq e\u0301le\u0300ves', 'alpha');
    expect(decomposed).toEqual(composed);
    expect(await deriveSecret('vingt-cinq \u00e9l\u00e8ves', 'beta')).not.toEqual(composed);
  });

  test('refuses fewer than 16 characters, counted as a person counts them (Z34)', async () => {
    await expect(deriveSecret('fifteen letters', 'alpha')).rejects.toThrow(/15 characters/);
    // Eight characters of two UTF-16 units each.
    await expect(deriveSecret('\u{1f511}'.repeat(8), 'alpha')).rejects.toThrow(/8 characters/);
    await expect(deriveSecret(7 as unknown as string, 'alpha')).rejects.toThrow(TypeError);
    await expect(deriveSecret(passphrase, 'No Such Name')).rejects.toThrow(TypeError);
  });

  test.each([
    'aaaaaaaaaaaaaaaaaaaa',
    'abababababababababab',
    'abcdefghijklmnopqrst',
    '1234567812345678',
    '11223344556677889900',
    'qwertyuiopasdfghjkl',
    'password12345678',
    'PasswordPassword1',
    'correct correct correct',
    'shop-shop-shop-shop',
    '\u{1f511}'.repeat(20),
  ])('T28 refuses %j: it is long and easily guessed', async (guessed) => {
    const refused = deriveSecret(guessed, 'shop');
    await expect(refused).rejects.toThrow(TypeError);
    await expect(refused).rejects.toThrow(/easily guessed.*five words drawn by chance/);
  });

  test.each([
    'correct horse battery staple',
    'vingt-cinq \u00e9l\u00e8ves',
    '8301947265013846',
    'hunter2 sold my blue bicycle',
  ])('T28 takes %j', (good) => {
    expect(varietyOf(good, 'shop').characters).toBeGreaterThanOrEqual(varietyMin);
    expect(varietyOf(good, 'shop').different).toBeGreaterThanOrEqual(differentMin);
  });

  test('rejects with ABORTED before it begins and in the middle', async () => {
    const reason = new Error('changed my mind');
    await expect(
      deriveSecret(passphrase, 'alpha', { signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({ code: 'ABORTED', cause: reason });

    const controller = new AbortController();
    const fractions: number[] = [];
    const derived = deriveSecret(passphrase, 'alpha', {
      signal: controller.signal,
      onProgress: (fraction) => {
        fractions.push(fraction);
        if (fraction > 0.1) controller.abort(reason);
      },
    });
    await expect(derived).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect(fractions.at(-1)).toBeLessThan(0.2);
  });
});
