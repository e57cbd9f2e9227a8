import { ed25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import type { RandomBytes, RecordPurpose, VerifyRecord } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import { nonceBytes, tagBytes } from './aes.ts';
import { concatBytes, uintBytes, utf8 } from './bytes.ts';
import type { NamespaceKeys } from './namespace.ts';
import { topicBytesCount } from './namespace.ts';

/**
 * Records lie at relays: sealed for the holders of the secret, signed for the relay, which knows the
 * topic and nothing else (Z32). Format 1:
 *
 *     format (1) | nonce (12) | ciphertext | tag (16) | ed25519 signature (64)
 *
 * The seal's additional data, and the head of what is signed, are the context: label, format,
 * purpose, version and topic. So a record is good for one place and one version only.
 */
export function sealRecord(
  keys: NamespaceKeys,
  random: RandomBytes,
  purpose: RecordPurpose,
  version: number,
  value: Uint8Array,
): Uint8Array {
  if (!isVersion(version)) {
    throw new RangeError(`Cannot seal a record of version ${version}: wanted a safe integer >= 0`);
  }
  if (value.length > recordValueBytesMax) {
    throw new RangeError(
      `Cannot seal a record of ${value.length} bytes: wanted at most ${recordValueBytesMax}`,
    );
  }
  const context = recordContext(keys.topicBytes, purpose, version);
  const nonce = recordNonce(keys, random, context, value);
  const body = concatBytes(
    Uint8Array.of(recordFormat),
    nonce,
    keys.recordKey.seal(nonce, context, value),
  );
  return concatBytes(body, ed25519.sign(concatBytes(context, body), keys.signingSeed));
}

/** Opens what any holder of one of `ring` sealed. Throws `BAD_SECRET` for anything else. */
export function openRecord(
  ring: readonly NamespaceKeys[],
  purpose: RecordPurpose,
  version: number,
  record: Uint8Array,
): Uint8Array {
  if (hasRecordForm(version, record)) {
    const bodyBytes = record.length - signatureBytes;
    const nonce = record.subarray(1, 1 + nonceBytes);
    const sealed = record.subarray(1 + nonceBytes, bodyBytes);
    for (const keys of ring) {
      const context = recordContext(keys.topicBytes, purpose, version);
      const value = keys.recordKey.open(nonce, context, sealed);
      if (value === null) continue;
      if (hasSignature(keys.topicBytes, context, record)) return value;
    }
  }
  throw new QuorateError(
    'BAD_SECRET',
    `Cannot open the ${purpose} record of version ${version}: no secret of the ring opens it`,
  );
}

/** The relay's check: see the contract. False, never an error, for whatever a stranger sends. */
export const verifyRecord: VerifyRecord = (topic, purpose, version, record) => {
  if (!topicPattern.test(topic) || !hasRecordForm(version, record)) return false;
  if (purpose !== 'announce' && purpose !== 'register') return false;
  const topicBytes = hexToBytes(topic);
  return hasSignature(topicBytes, recordContext(topicBytes, purpose, version), record);
};

/** Bytes that sealing and signing add to a record's value. */
export const recordOverheadBytes: number = 1 + nonceBytes + tagBytes + 64;

/** Longest value of a record: four times what a register takes. */
export const recordValueBytesMax = 65_536;

/**
 * Fresh for each record: 96 bits of HMAC over chance *and* all that is sealed. One secret seals far
 * fewer than 2^32 records (a thousand members that announce twice a minute take four years), so
 * that two nonces meet with a chance below 2^-32; and should chance repeat itself, as that of a
 * restored machine may, equal nonces come with equal records only.
 */
function recordNonce(
  keys: NamespaceKeys,
  random: RandomBytes,
  context: Uint8Array,
  value: Uint8Array,
): Uint8Array {
  const input = concatBytes(random(nonceRandomBytes), context, value);
  return hmac(sha256, keys.recordNonceKey, input).subarray(0, nonceBytes);
}

function recordContext(
  topicBytes: Uint8Array,
  purpose: RecordPurpose,
  version: number,
): Uint8Array {
  return concatBytes(
    recordLabel,
    Uint8Array.of(recordFormat, purposeCodes[purpose]),
    uintBytes(version, 8),
    topicBytes,
  );
}

function hasRecordForm(version: number, record: Uint8Array): boolean {
  return (
    isVersion(version) &&
    record.length >= recordOverheadBytes &&
    record.length <= recordOverheadBytes + recordValueBytesMax &&
    record[0] === recordFormat
  );
}

function hasSignature(topicBytes: Uint8Array, context: Uint8Array, record: Uint8Array): boolean {
  const bodyBytes = record.length - signatureBytes;
  const signed = concatBytes(context, record.subarray(0, bodyBytes));
  try {
    // Strict (RFC 8032): no second form of a valid signature, no key of small order.
    return ed25519.verify(record.subarray(bodyBytes), signed, topicBytes, { zip215: false });
  } catch {
    return false;
  }
}

function isVersion(version: number): boolean {
  return Number.isSafeInteger(version) && version >= 0;
}

const recordFormat = 1;
const recordLabel = utf8('quorate/1 record\0');
const purposeCodes: Readonly<Record<RecordPurpose, number>> = { announce: 1, register: 2 };
const nonceRandomBytes = 16;
const signatureBytes = 64;
const topicPattern = new RegExp(`^[0-9a-f]{${topicBytesCount * 2}}$`);
