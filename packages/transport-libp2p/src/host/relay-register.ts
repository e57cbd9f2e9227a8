/**
 * The Register of a namespace on the first configured relay. Which one decides is configuration,
 * never what can be reached (Z9): other relays carry traffic and announcements only.
 */
import { QuorateError } from '@quorate/contracts';
import type { Cipher, CompareAndSetResult, Register, RegisterRecord } from '@quorate/contracts';
import type { Greeting, StoredRecord } from '../wire/relay-messages.ts';
import type { RelayClient } from './relay-client.ts';

const valueBytesMax = 16 * 1024;

export class RelayRegister implements Register {
  readonly #client: RelayClient;
  readonly #cipher: Cipher;
  #group: string;

  constructor(client: RelayClient, cipher: Cipher) {
    this.#client = client;
    this.#cipher = cipher;
    this.#group = client.relay.group ?? '';
  }

  /** The pinned group; else the one that the first answer came from, and empty before that. */
  get group(): string {
    return this.#group;
  }

  async read(signal: AbortSignal): Promise<RegisterRecord | null> {
    await this.#admit(signal);
    const { topic, nameTag } = this.#cipher;
    const answer = await this.#client.call({ type: 'read', topic, nameTag }, signal);
    if (answer.type !== 'value') throw unexpected(answer.type);
    return this.#open(answer.current);
  }

  async compareAndSet(
    expectedVersion: number,
    value: Uint8Array,
    signal: AbortSignal,
  ): Promise<CompareAndSetResult> {
    if (value.length > valueBytesMax) {
      throw new RangeError(`Cannot set ${value.length} bytes, wanted at most ${valueBytesMax}`);
    }
    await this.#admit(signal);
    const { topic, nameTag } = this.#cipher;
    const record = this.#cipher.sealRecord('register', expectedVersion + 1, value);
    const answer = await this.#client.call(
      { type: 'set', topic, nameTag, expectedVersion, record },
      signal,
    );
    if (answer.type !== 'set') throw unexpected(answer.type);
    if (answer.ok) return { ok: true, version: expectedVersion + 1 };
    return { ok: false, current: this.#open(answer.current) };
  }

  /** Makes sure that the relay holds the register of the group we know (Z11). */
  async #admit(signal: AbortSignal): Promise<void> {
    const greeting: Greeting = await this.#client.greeting(signal);
    const relay = this.#client.relay.text;
    if (greeting.group === null) {
      throw new QuorateError(
        'FORMATION_WAITING',
        `Cannot use relay ${relay} as register: it only carries traffic, wanted one started with --init`,
      );
    }
    if (this.#group !== '' && greeting.group !== this.#group) {
      throw new QuorateError(
        'REGISTER_LOST',
        `Cannot use the register of ${relay}: its group is ${greeting.group}, wanted ${this.#group}`,
      );
    }
    this.#group = greeting.group;
  }

  #open(stored: StoredRecord | null): RegisterRecord | null {
    if (stored === null) return null;
    return {
      version: stored.version,
      value: this.#cipher.openRecord('register', stored.version, stored.record),
      refusedCount: stored.refusedCount,
    };
  }
}

function unexpected(type: string): QuorateError {
  return new QuorateError('BAD_REQUEST', `Cannot read the relay's answer of type '${type}'`);
}
