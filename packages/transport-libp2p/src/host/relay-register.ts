/**
 * The Register of a namespace on the first configured relay. Which one decides is configuration,
 * never what can be reached (Z9): other relays carry traffic and announcements only.
 */
import { QuorateError, registerValueBytesMax } from '@quorate/contracts';
import type { Cipher, CompareAndSetResult, Register, RegisterRecord } from '@quorate/contracts';
import type { Greeting, StoredRecord } from '../wire/relay-messages.ts';
import type { RelayClient } from './relay-client.ts';

export class RelayRegister implements Register {
  readonly #client: RelayClient;
  readonly #cipher: Cipher;
  /** As the log of a member names it. */
  #followed: string | null = null;
  /** Of the last answer. */
  #met = '';
  /** What the relay calls the present version where there is no record. */
  #floor = 0;
  #beside = false;

  constructor(client: RelayClient, cipher: Cipher) {
    this.#client = client;
    this.#cipher = cipher;
  }

  get pinned(): boolean {
    return this.#client.relay.group !== null;
  }

  /** The pinned group; else the one that is followed, else that of the last answer. */
  get group(): string {
    return this.#wanted ?? this.#met;
  }

  follow(group: string): void {
    this.#followed = group;
  }

  goBeside(): void {
    this.#beside = true;
  }

  get #wanted(): string | null {
    return this.#client.relay.group ?? this.#followed;
  }

  async read(signal: AbortSignal): Promise<RegisterRecord | null> {
    this.#met = await this.#admit(signal);
    const { topic, nameTag } = this.#cipher;
    const answer = await this.#client.call(
      { type: 'read', topic, nameTag, beside: this.#beside },
      signal,
    );
    if (answer.type !== 'value') throw unexpected(answer.type);
    this.#floor = answer.floor;
    return this.#open(answer.current);
  }

  async compareAndSet(
    expectedVersion: number,
    value: Uint8Array,
    signal: AbortSignal,
    active = false,
  ): Promise<CompareAndSetResult> {
    if (value.length > registerValueBytesMax) {
      throw new RangeError(
        `Cannot set ${value.length} bytes, wanted at most ${registerValueBytesMax}`,
      );
    }
    const group = await this.#admit(signal);
    // What was read there says nothing of what stands here.
    if (this.#met !== '' && group !== this.#met) {
      throw new QuorateError('FORMATION_WAITING', 'Cannot set: another register answers now');
    }
    const { topic, nameTag } = this.#cipher;
    for (;;) {
      const present = expectedVersion === 0 ? this.#floor : expectedVersion;
      const record = this.#cipher.sealRecord('register', present + 1, value);
      const answer = await this.#client.call(
        {
          ...{ type: 'set', topic, nameTag, expectedVersion: present, record, active },
          beside: this.#beside,
        },
        signal,
      );
      if (answer.type !== 'set') throw unexpected(answer.type);
      if (answer.ok) return { ok: true, version: present + 1 };
      this.#floor = answer.floor;
      // There is none, as expected: only the floor was another one.
      const isAgain = answer.current === null && expectedVersion === 0 && present < answer.floor;
      if (!isAgain) return { ok: false, current: this.#open(answer.current) };
    }
  }

  /** Makes sure that the relay holds the register of the group we know (Z11); resolves with it. */
  async #admit(signal: AbortSignal): Promise<string> {
    const { group }: Greeting = await this.#client.greeting(signal);
    const relay = this.#client.relay.text;
    if (group === null) {
      throw new QuorateError(
        'FORMATION_WAITING',
        `Cannot use relay ${relay} as register: it only carries traffic, wanted one started once with --init`,
      );
    }
    const wanted = this.#wanted;
    if (wanted !== null && group !== wanted) {
      throw new QuorateError(
        'REGISTER_LOST',
        `Cannot use the register of ${relay}: its group is ${group}, wanted ${wanted}`,
        { details: { group, isPinned: this.pinned } },
      );
    }
    return group;
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
