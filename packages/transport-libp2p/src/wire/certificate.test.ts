/** What a certificate proves, and to whom (T27, Z59). */
import { describe, expect, test } from 'vitest';
import { newKey, posingAs } from '../../test/group-keys.ts';
import {
  certificateMs,
  groupOf,
  readCertificate,
  signCertificate,
  whyUnproven,
} from './certificate.ts';

const fromMs = 1_700_000_000_000;
const content = { peer: 'relay', counter: 3, fromMs, untilMs: fromMs + certificateMs };

describe('a certificate', () => {
  test('T27 Z59 says what was signed, and of which key', async () => {
    const key = await newKey();
    const certificate = await readCertificate(await signCertificate(key, content));
    expect(certificate).toEqual({ ...content, group: groupOf(key) });
  });

  test('T27 Z59 is none once any of its bytes is another', async () => {
    const signed = await signCertificate(await newKey(), content);
    for (const at of signed.keys()) {
      // Not `slice`: what the encoder makes in Node is a Buffer, of which that is no copy.
      const broken = Uint8Array.from(signed);
      broken[at] = (broken[at] ?? 0) ^ 1;
      expect(await readCertificate(broken), `byte ${at}`).toBeNull();
    }
  });

  test("T27 Z59 is none where somebody without the group's key signed for it", async () => {
    const posing = await posingAs(await newKey());
    expect(await readCertificate(await signCertificate(posing, content))).toBeNull();
  });
});

describe('whyUnproven()', () => {
  const certificate = { ...content, group: 'a'.repeat(32) };
  const why = (nowMs: number): string | null => whyUnproven(certificate, { ...certificate, nowMs });

  test.each([
    ['when it was signed', 0, true],
    ['by a clock that is half a day ahead, at its renewal', certificateMs - 1, true],
    ['by a clock that is a day behind', -certificateMs, true],
    ['a day later', certificateMs, false],
    ['by a clock that is more than a day behind', -certificateMs - 1, false],
  ])('T27 Z59 %s', (_name, afterMs, isProven) => {
    if (isProven) expect(why(fromMs + afterMs)).toBeNull();
    else expect(why(fromMs + afterMs)).toContain('its certificate is good until');
  });
});
