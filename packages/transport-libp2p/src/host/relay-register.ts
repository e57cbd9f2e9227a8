/**
 * The Register of a namespace on the relays of one group. Which group decides is configuration and the
 * log, never what can be reached (Z9): the pinned one, else the one that the log names, else, for who
 * has neither, the one that most of the configured relays are of, with none of another beside (Z53).
 */
import { QuorateError, registerValueBytesMax } from '@quorate/contracts';
import type { Cipher, CompareAndSetResult, Register, RegisterRecord } from '@quorate/contracts';
import type { StoredRecord } from '../wire/relay-messages.ts';
import { chooseRelay, refuseUndecided } from './choose-relay.ts';
import type { RelayClient } from './relay-client.ts';

export class RelayRegister implements Register {
  readonly #clients: readonly RelayClient[];
  readonly #cipher: Cipher;
  readonly #changedFrom: (address: string) => string | null;
  /** As the log of a member names it. */
  #followed: string | null = null;
  /** Of the last answer. */
  #met = '';
  /** What the relay calls the present version where there is no record. */
  #floor = 0;
  #beside = false;
  #writesBack = false;

  /** `changedFrom`: the group that was met at an address before, if it was another one. */
  constructor(
    clients: readonly RelayClient[],
    cipher: Cipher,
    changedFrom: (address: string) => string | null,
  ) {
    this.#clients = clients;
    this.#cipher = cipher;
    this.#changedFrom = changedFrom;
  }

  get pinned(): boolean {
    return this.#pin !== null;
  }

  /** The pinned group; else the one that is followed, else that of the last answer. */
  get group(): string {
    return this.#wanted ?? this.#met;
  }

  get notice(): string | null {
    if (this.pinned) return null;
    for (const { relay } of this.#clients) {
      const before = this.#changedFrom(relay.text);
      if (before === null) continue;
      return `but ${relay.text} was of group ${before} before: if nobody changed that, somebody answers in its place`;
    }
    return null;
  }

  follow(group: string): void {
    this.#followed = group;
  }

  goBeside(): void {
    this.#beside = true;
  }

  writeBack(isOn: boolean): void {
    this.#writesBack = isOn;
  }

  get #pin(): string | null {
    return this.#clients.find(({ relay }) => relay.group !== null)?.relay.group ?? null;
  }

  get #wanted(): string | null {
    return this.#pin ?? this.#followed;
  }

  async read(signal: AbortSignal): Promise<RegisterRecord | null> {
    const { client, group } = await this.#choose(signal);
    this.#met = group;
    const { topic, nameTag } = this.#cipher;
    const answer = await client.call(
      { type: 'read', topic, nameTag, beside: this.#beside, writesBack: this.#writesBack },
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
    const { client, group } = await this.#choose(signal);
    // What was read there says nothing of what stands here.
    if (this.#met !== '' && group !== this.#met) {
      throw new QuorateError('FORMATION_WAITING', 'Cannot set: another register answers now');
    }
    if (this.#wanted === null) refuseUndecided(this.#clients, group);
    const { topic, nameTag } = this.#cipher;
    for (;;) {
      const present = expectedVersion === 0 ? this.#floor : expectedVersion;
      const record = this.#cipher.sealRecord('register', present + 1, value);
      const answer = await client.call(
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

  async #choose(signal: AbortSignal): ReturnType<typeof chooseRelay> {
    return chooseRelay(this.#clients, this.#wanted, this.pinned, signal);
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
