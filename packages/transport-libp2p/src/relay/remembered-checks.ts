/** Signatures that were looked at: whoever sends a record again has it looked up, a thousand times as fast. */
import { createHash } from 'node:crypto';
import type { RecordPurpose, VerifyRecord } from '@quorate/contracts';

/** Each is a hash of 44 characters. */
const defaultRememberedMax = 4_096;

export class RememberedChecks {
  readonly #verify: VerifyRecord;
  readonly #rememberedMax: number;
  /** Hashes of good records and of all that their signatures cover, the last used at the end. */
  readonly #good = new Set<string>();

  constructor(verify: VerifyRecord, rememberedMax: number = defaultRememberedMax) {
    this.#verify = verify;
    this.#rememberedMax = rememberedMax;
  }

  /** Wrong ones are looked at each time: remembered, they would drive out the good ones. */
  readonly verify: VerifyRecord = (topic, purpose, version, record) => {
    const hash = hashOf(topic, purpose, version, record);
    if (!this.#good.delete(hash) && !this.#verify(topic, purpose, version, record)) return false;
    this.#good.add(hash);
    const [oldest] = this.#good;
    if (this.#good.size > this.#rememberedMax && oldest !== undefined) this.#good.delete(oldest);
    return true;
  };

  /** Whether `verify` would say yes without looking. */
  knows(topic: string, purpose: RecordPurpose, version: number, record: Uint8Array): boolean {
    return this.#good.has(hashOf(topic, purpose, version, record));
  }
}

function hashOf(
  topic: string,
  purpose: RecordPurpose,
  version: number,
  record: Uint8Array,
): string {
  const place = JSON.stringify([topic, purpose, version]);
  return createHash('sha256').update(place).update(record).digest('base64');
}
