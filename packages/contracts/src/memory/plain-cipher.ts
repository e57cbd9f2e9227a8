import type {
  Cipher,
  Handshake,
  HandshakeStep,
  LinkCipher,
  RecordPurpose,
  VerifyRecord,
} from '../cipher.ts';
import type { Channel } from '../transport.ts';
import { QuorateError } from '../errors.ts';

export type PlainCipherOptions = {
  readonly namespace: string;
  /** A ring of names that stand for secrets, the primary first. Default: one empty name. */
  readonly secrets?: readonly string[];
  /**
   * Puts a counter before each frame, so that frames open once, in order and without gaps, as those
   * of a real cipher do. Default false: frames pass through as they are.
   */
  readonly strict?: boolean;
};

/**
 * A cipher without any cryptography, for simulations and for tests within one process: the same
 * handshake, the same refusals of honest mistakes (another secret, another namespace), and no
 * protection at all. Same options, same bytes.
 */
export function createPlainCipher(options: PlainCipherOptions): Cipher {
  return new PlainCipher(options);
}

/** Checks what stands for the signature of a plain cipher's records. */
export const verifyPlainRecord: VerifyRecord = (topic, purpose, version, record) =>
  recordValue(topic, purpose, version, record) !== null;

class PlainCipher implements Cipher {
  readonly topic: string;
  readonly nameTag: string;
  readonly overheadBytes: number;
  readonly #topics: readonly string[];
  readonly #strict: boolean;

  constructor(options: PlainCipherOptions) {
    const { namespace, secrets = [''], strict = false } = options;
    this.#topics = secrets.map((secret) => fingerprint(JSON.stringify([namespace, secret]), 8));
    const primary = this.#topics[0];
    if (primary === undefined) throw new RangeError('Cannot use a ring of 0 secrets: wanted one');
    this.topic = primary;
    this.nameTag = fingerprint(namespace, 4);
    this.overheadBytes = strict ? counterBytes : 0;
    this.#strict = strict;
  }

  handshake(options: { initiator: boolean }): Handshake {
    return new PlainHandshake(options.initiator, this.nameTag, this.#topics, this.#strict);
  }

  sealRecord(purpose: RecordPurpose, version: number, value: Uint8Array): Uint8Array {
    if (!Number.isSafeInteger(version) || version < 0) {
      throw new RangeError(`Cannot seal a record of version ${version}: wanted an integer >= 0`);
    }
    const head = recordHead(this.topic, purpose, version);
    const record = new Uint8Array(head.length + value.length);
    record.set(head, 0);
    record.set(value, head.length);
    return record;
  }

  openRecord(purpose: RecordPurpose, version: number, record: Uint8Array): Uint8Array {
    for (const topic of this.#topics) {
      const value = recordValue(topic, purpose, version, record);
      if (value !== null) return value;
    }
    throw new QuorateError(
      'BAD_SECRET',
      `Cannot open the ${purpose} record of version ${version}: no secret of the ring opens it`,
    );
  }
}

/** Hello both ways, then the initiator's topics, then the one that the responder has too. */
class PlainHandshake implements Handshake {
  readonly #initiator: boolean;
  readonly #nameTag: string;
  readonly #topics: readonly string[];
  readonly #strict: boolean;
  #waitsFor: PlainFrame['type'] | 'nothing' = 'hello';
  #failure: QuorateError | undefined;

  constructor(initiator: boolean, nameTag: string, topics: readonly string[], strict: boolean) {
    this.#initiator = initiator;
    this.#nameTag = nameTag;
    this.#topics = topics;
    this.#strict = strict;
  }

  first(): Uint8Array {
    return encode({ type: 'hello', nameTag: this.#nameTag });
  }

  receive(bytes: Uint8Array): HandshakeStep {
    if (this.#failure !== undefined) throw this.#failure;
    const frame = decode(bytes);
    if (frame?.type === 'refusal' && this.#waitsFor !== 'nothing') {
      return this.#fail('BAD_SECRET', 'the other side holds no secret of this one');
    }
    if (frame === null || frame.type !== this.#waitsFor) {
      return this.#fail('BAD_REQUEST', `it sent ${frame?.type}, wanted ${this.#waitsFor}`);
    }
    switch (frame.type) {
      case 'hello':
        if (frame.nameTag !== this.#nameTag) {
          return this.#fail('BAD_REQUEST', `its name tag is ${frame.nameTag}`);
        }
        this.#waitsFor = this.#initiator ? 'proof' : 'proofs';
        return {
          reply: this.#initiator ? encode({ type: 'proofs', topics: this.#topics }) : null,
          done: null,
        };
      case 'proofs': {
        const topic = this.#topics.find((each) => frame.topics.includes(each));
        if (topic === undefined) return this.#fail('BAD_SECRET', 'no secret in common', true);
        this.#waitsFor = 'nothing';
        return { reply: encode({ type: 'proof', topic }), done: new PlainLink(this.#strict) };
      }
      case 'proof':
        if (!this.#topics.includes(frame.topic)) {
          return this.#fail('BAD_SECRET', 'no secret in common', true);
        }
        this.#waitsFor = 'nothing';
        return { reply: null, done: new PlainLink(this.#strict) };
      case 'refusal':
        return this.#fail('BAD_REQUEST', 'it refused what is done');
    }
  }

  #fail(code: 'BAD_SECRET' | 'BAD_REQUEST', reason: string, tell = false): never {
    this.#failure = new QuorateError(code, `Cannot go on with a handshake: ${reason}`, {
      details: tell ? { reply: encode({ type: 'refusal' }) } : {},
    });
    throw this.#failure;
  }
}

class PlainLink implements LinkCipher {
  readonly #strict: boolean;
  readonly #sealed: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  readonly #opened: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  readonly #failed = new Set<Channel>();

  constructor(strict: boolean) {
    this.#strict = strict;
  }

  /** A copy, as a real cipher makes one: the caller's buffer stays the caller's. */
  seal(channel: Channel, plaintext: Uint8Array): Uint8Array {
    if (!this.#strict) return plaintext.slice();
    const frame = new Uint8Array(counterBytes + plaintext.length);
    const counter = this.#sealed[channel]++;
    for (let i = 0; i < counterBytes; i++) frame[i] = counter >>> (24 - 8 * i);
    frame.set(plaintext, counterBytes);
    return frame;
  }

  open(channel: Channel, frame: Uint8Array): Uint8Array {
    if (!this.#strict) return frame;
    if (!this.#failed.has(channel) && frame.length >= counterBytes) {
      let counter = 0;
      for (let i = 0; i < counterBytes; i++) counter = counter * 256 + (frame[i] as number);
      if (counter === this.#opened[channel]) {
        this.#opened[channel]++;
        return frame.slice(counterBytes);
      }
    }
    this.#failed.add(channel);
    throw new QuorateError(
      'BAD_SECRET',
      `Cannot open a ${channel} frame of ${frame.length} bytes: wanted the frame number ${this.#opened[channel]}`,
    );
  }
}

type PlainFrame =
  | { readonly type: 'hello'; readonly nameTag: string }
  | { readonly type: 'proofs'; readonly topics: readonly string[] }
  | { readonly type: 'proof'; readonly topic: string }
  | { readonly type: 'refusal' };

/** A frame is its type and its texts, one a line. */
function encode(frame: PlainFrame): Uint8Array {
  switch (frame.type) {
    case 'hello':
      return text(['hello', frame.nameTag]);
    case 'proofs':
      return text(['proofs', ...frame.topics]);
    case 'proof':
      return text(['proof', frame.topic]);
    case 'refusal':
      return text(['refusal']);
  }
}

function decode(bytes: Uint8Array): PlainFrame | null {
  if (bytes.length > 4_096) return null;
  const [type, ...texts] = new TextDecoder().decode(bytes).split('\n');
  const [only] = texts;
  if (type === 'proofs' && texts.length > 0) return { type, topics: texts };
  if (type === 'refusal' && texts.length === 0) return { type };
  if (only === undefined || texts.length > 1) return null;
  if (type === 'hello') return { type, nameTag: only };
  if (type === 'proof') return { type, topic: only };
  return null;
}

function recordHead(topic: string, purpose: RecordPurpose, version: number): Uint8Array {
  return text([topic, purpose, String(version), '']);
}

function recordValue(
  topic: string,
  purpose: RecordPurpose,
  version: number,
  record: Uint8Array,
): Uint8Array | null {
  const head = recordHead(topic, purpose, version);
  if (!head.every((byte, at) => record[at] === byte)) return null;
  return record.slice(head.length);
}

function text(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(lines.join('\n'));
}

/** `words` × 8 hex digits of FNV-1a from different starts: names apart, secrets nothing. */
function fingerprint(name: string, words: number): string {
  let digits = '';
  for (let word = 0; word < words; word++) {
    let hash = 0x811c9dc5 ^ Math.imul(word, 0x9e3779b1);
    for (const byte of new TextEncoder().encode(name)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    hash ^= hash >>> 15;
    digits += (Math.imul(hash, 0x85ebca6b) >>> 0).toString(16).padStart(8, '0');
  }
  return digits;
}

const counterBytes = 4;
