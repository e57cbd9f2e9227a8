import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Channel, HostId, LinkCipher } from '@quorate/contracts';
import { QuorateError, assert } from '@quorate/contracts';
import type { AesGcm, AesGcmKey } from './aes.ts';
import { keyBytes, nonceBytes, tagBytes } from './aes.ts';
import { concatBytes, lengthPrefixed, uintBytes, utf8 } from './bytes.ts';

/** What both sides of a link agree on once its handshake is done. */
export type LinkAgreement = {
  readonly protocol: number;
  readonly secret: Uint8Array;
  /** Of the secret that was chosen. */
  readonly topicBytes: Uint8Array;
  readonly initiatorHost: HostId;
  readonly responderHost: HostId;
  readonly initiatorRandom: Uint8Array;
  readonly responderRandom: Uint8Array;
  /** Hash of everything both sides said before they proved the secret. */
  readonly transcript: Uint8Array;
};

export type LinkOptions = {
  readonly aesGcm: AesGcm;
  readonly framesPerKeyMax: number;
  readonly frameBytesMax: number;
};

/**
 * Keys of one link (Z33): one per channel and direction, made of the secret, both sides' fresh
 * randoms and the transcript. The nonce is a counter that both sides count for themselves, so a
 * sealed frame is ciphertext and tag and nothing else.
 */
export class SealedLink implements LinkCipher {
  readonly #outgoing: Readonly<Record<Channel, Stream>>;
  readonly #incoming: Readonly<Record<Channel, Stream>>;
  readonly #frameBytesMax: number;

  constructor(agreement: LinkAgreement, initiator: boolean, options: LinkOptions) {
    const salt = concatBytes(agreement.initiatorRandom, agreement.responderRandom);
    const root = extract(sha256, agreement.secret, salt);
    const streams = (direction: Direction): Readonly<Record<Channel, Stream>> => ({
      raft: new Stream(root, agreement, direction, 'raft', options),
      bulk: new Stream(root, agreement, direction, 'bulk', options),
      rpc: new Stream(root, agreement, direction, 'rpc', options),
    });
    this.#outgoing = streams(initiator ? 'to-responder' : 'to-initiator');
    this.#incoming = streams(initiator ? 'to-initiator' : 'to-responder');
    this.#frameBytesMax = options.frameBytesMax;
  }

  /** Throws a RangeError for a frame that would be longer than `frameBytesMax`. */
  seal(channel: Channel, plaintext: Uint8Array): Uint8Array {
    if (plaintext.length + tagBytes > this.#frameBytesMax) {
      throw new RangeError(
        `Cannot seal a frame of ${plaintext.length} bytes: wanted at most ${this.#frameBytesMax - tagBytes}`,
      );
    }
    return this.#outgoing[channel].seal(plaintext);
  }

  open(channel: Channel, frame: Uint8Array): Uint8Array {
    const stream = this.#incoming[channel];
    // Lengths first: nothing is allocated for a frame that cannot be right.
    const plaintext =
      frame.length < tagBytes || frame.length > this.#frameBytesMax ? null : stream.open(frame);
    if (plaintext !== null) return plaintext;
    stream.fail();
    throw new QuorateError(
      'BAD_SECRET',
      `Cannot open a ${channel} frame of ${frame.length} bytes: wanted the frame that follows the last one, sealed by the other side of this link`,
    );
  }
}

/** One channel in one direction: a key, the number of the next frame under it. */
class Stream {
  readonly #keyOf: (streamNumber: number) => AesGcmKey;
  readonly #aad: Uint8Array;
  readonly #framesPerKeyMax: number;
  /** Stream number in bytes 0–3, zeros, the frame's number in bytes 8–11. */
  readonly #nonce: Uint8Array = new Uint8Array(nonceBytes);
  readonly #nonceView: DataView = new DataView(this.#nonce.buffer);
  #streamNumber = 0;
  #frameNumber = 0;
  /** Made with the first frame: most links never use `bulk`. */
  #key: AesGcmKey | undefined;
  #failed = false;

  constructor(
    root: Uint8Array,
    agreement: LinkAgreement,
    direction: Direction,
    channel: Channel,
    options: LinkOptions,
  ) {
    const place = Uint8Array.of(directionCodes[direction], channelCodes[channel]);
    const protocol = uintBytes(agreement.protocol, 2);
    const { topicBytes, transcript } = agreement;
    this.#keyOf = (streamNumber) =>
      options.aesGcm(
        expand(
          sha256,
          root,
          concatBytes(
            keyLabel,
            protocol,
            topicBytes,
            place,
            uintBytes(streamNumber, 4),
            transcript,
          ),
          keyBytes,
        ),
      );
    // Hashed once: 32 bytes a frame to authenticate, however long the hosts' names are.
    this.#aad = sha256(
      concatBytes(
        frameLabel,
        protocol,
        place,
        lengthPrefixed(agreement.initiatorHost),
        lengthPrefixed(agreement.responderHost),
      ),
    );
    this.#framesPerKeyMax = options.framesPerKeyMax;
  }

  seal(plaintext: Uint8Array): Uint8Array {
    return this.#advance().seal(this.#nonce, this.#aad, plaintext);
  }

  open(frame: Uint8Array): Uint8Array | null {
    if (this.#failed) return null;
    return this.#advance().open(this.#nonce, this.#aad, frame);
  }

  /** What comes after a frame that did not open is not what was sealed: nothing opens any more. */
  fail(): void {
    this.#failed = true;
  }

  /** Moves on to the next nonce before it is used, so that no error can leave one used twice. */
  #advance(): AesGcmKey {
    if (this.#frameNumber === this.#framesPerKeyMax) {
      this.#streamNumber++;
      this.#frameNumber = 0;
      this.#key = undefined;
      assert(this.#streamNumber < 2 ** 32, 'streamNumber < 2^32');
    }
    this.#key ??= this.#keyOf(this.#streamNumber);
    this.#nonceView.setUint32(0, this.#streamNumber);
    this.#nonceView.setUint32(8, this.#frameNumber);
    this.#frameNumber++;
    return this.#key;
  }
}

type Direction = 'to-responder' | 'to-initiator';

const directionCodes: Readonly<Record<Direction, number>> = {
  'to-responder': 1,
  'to-initiator': 2,
};
const channelCodes: Readonly<Record<Channel, number>> = { raft: 1, bulk: 2, rpc: 3 };
const keyLabel = utf8('quorate/1 link key\0');
const frameLabel = utf8('quorate/1 link frame\0');
