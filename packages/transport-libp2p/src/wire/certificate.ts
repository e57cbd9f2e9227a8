/**
 * How a relay proves of which group it is. A group is a key pair, its id the hash of the public half; the
 * private half signs nothing but certificates: this peer is a relay of the group, for a day, and so far
 * had its register come. So `#group` behind an address tells the relay from whoever repeats the id.
 *
 *     certificate  CBOR { body: bytes, signature: bytes }
 *     body         CBOR { format: 1, groupKey: 32 bytes, peer: text, counter, fromMs, untilMs }
 *     signature    Ed25519 by the group's key, of `quorate/1 group certificate` | 0 | body
 */
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { encode, rfc8949EncodeOptions } from 'cborg';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, hexFromBytes } from '@quorate/contracts';
import { readMap } from './fields.ts';

export type Certificate = {
  /** As 32 hex digits; follows from the key. */
  readonly group: string;
  /** The relay's. */
  readonly peer: string;
  /** The register's revision when it was signed (Z50): a lower one is of a register put back. */
  readonly counter: number;
  /** Milliseconds of Unix time. */
  readonly fromMs: number;
  readonly untilMs: number;
};

export const certificateBytesMax = 512;
/** How long one is good for. It is renewed at half of that, so clocks may be wrong by the other half. */
export const certificateMs: number = 24 * 3_600_000;

/** The id of the group that has this key: 32 hex digits. */
export function groupOf(key: PrivateKey | { readonly raw: Uint8Array }): string {
  const raw = 'publicKey' in key ? key.publicKey.raw : key.raw;
  return hexFromBytes(sha256(concatBytes([label('group'), raw])).subarray(0, 16));
}

export async function signCertificate(
  key: PrivateKey,
  { peer, counter, fromMs, untilMs }: Omit<Certificate, 'group'>,
): Promise<Uint8Array> {
  const content = { format, groupKey: key.publicKey.raw, peer, counter, fromMs, untilMs };
  const body = encode(content, rfc8949EncodeOptions);
  const signature = await key.sign(concatBytes([label('group certificate'), body]));
  return encode({ body, signature }, rfc8949EncodeOptions);
}

/** Null for what no group signed, whenever it was good. Never rejects, whatever a stranger sent. */
export async function readCertificate(bytes: Uint8Array): Promise<Certificate | null> {
  try {
    const outer = readMap(bytes);
    const body = outer.bytes('body', certificateBytesMax);
    const map = readMap(body);
    if (map.count('format') !== format) return null;
    const raw = map.bytes('groupKey', 32);
    const signed = concatBytes([label('group certificate'), body]);
    const key = publicKeyFromRaw(raw);
    if (key.type !== 'Ed25519') return null;
    if (!(await key.verify(signed, outer.bytes('signature', 64)))) return null;
    return {
      group: groupOf({ raw }),
      peer: map.text('peer', 128),
      counter: map.count('counter'),
      fromMs: map.count('fromMs'),
      untilMs: map.count('untilMs'),
    };
  } catch {
    // What is no message, and what the library calls no key or no signature.
    return null;
  }
}

/** The counter that `bytes` name, whoever wrote them; null where they name none. */
export function counterIn(bytes: Uint8Array): number | null {
  try {
    return readMap(readMap(bytes).bytes('body', certificateBytesMax)).count('counter');
  } catch {
    return null;
  }
}

/**
 * Why `certificate` does not prove that `peer` is a relay of `group` now; null: it does. `nowMs` is this
 * machine's time: one that is behind sees certificates of tomorrow, which are fine for so long as they
 * last.
 */
export function whyUnproven(
  certificate: Certificate | null,
  { group, peer, nowMs }: { readonly group: string; readonly peer: string; readonly nowMs: number },
): string | null {
  if (certificate === null) return `it shows no certificate of group ${group}`;
  if (certificate.group !== group) return `its certificate is of group ${certificate.group}`;
  if (certificate.peer !== peer) return 'its certificate is of another relay';
  if (nowMs < certificate.untilMs && nowMs >= certificate.fromMs - certificateMs) return null;
  const until = new Date(certificate.untilMs).toISOString();
  return `its certificate is good until ${until}, by this machine's clock it is ${new Date(nowMs).toISOString()}`;
}

function label(text: string): Uint8Array {
  return new TextEncoder().encode(`quorate/1 ${text}\0`);
}

const format = 1;
