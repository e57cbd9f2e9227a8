import type { Channel, HostId } from './transport.ts';

/**
 * The membership gate (DESIGN §7): who holds the secret may speak, and frames are sealed with keys
 * that are fresh for each link, channel and direction. A namespace made public has a cipher too,
 * whose secret is the namespace's name.
 */
export interface Cipher {
  /**
   * Names this namespace on relays and between hosts: the public key of a pair derived from
   * namespace and secret, 64 lowercase hex digits (Z32).
   */
  readonly topic: string;
  /** Derived from the namespace's name alone, so that a wrong secret can be told from a new name. */
  readonly nameTag: string;
  /** Bytes that `seal` adds to a frame. */
  readonly overheadBytes: number;
  /** Begins the handshake of one link. */
  handshake(options: { initiator: boolean; local: HostId; remote: HostId }): Handshake;
  /** Seals and signs a value for the relay: `purpose` and `version` are bound into it. */
  sealRecord(purpose: RecordPurpose, version: number, value: Uint8Array): Uint8Array;
  /** Opens what any holder of a secret of the ring sealed. Throws `BAD_SECRET`. */
  openRecord(purpose: RecordPurpose, version: number, record: Uint8Array): Uint8Array;
}

export type RecordPurpose = 'announce' | 'register';

/**
 * The relay's part: is `record` signed by the key that the topic names, for this purpose and
 * version? It learns nothing else. Implemented by the crypto package, handed to the relay.
 */
export type VerifyRecord = (
  topic: string,
  purpose: RecordPurpose,
  version: number,
  record: Uint8Array,
) => boolean;

/**
 * Both sides send `first()` at once on `rpc`, then whatever `receive` returns, until `receive`
 * says `done`. A frame that arrives on a link before its handshake is done is the handshake's.
 *
 * One side is done before the other, and channels keep no order between them: after `done` send on
 * `rpc` alone, until a first frame of the other side has opened there. Then it is done too.
 */
export interface Handshake {
  first(): Uint8Array;
  /**
   * Throws `BAD_SECRET` for a wrong proof, `BAD_REQUEST` for anything malformed; a handshake that
   * failed stays failed. `details.reply` of the error, where present, is a frame to send before the
   * link is closed, so that the other side learns it too.
   */
  receive(frame: Uint8Array): HandshakeStep;
}

export type HandshakeStep = {
  readonly reply: Uint8Array | null;
  /** Set once both sides have proved the secret. */
  readonly done: LinkCipher | null;
};

/**
 * Keys of one link. Counters are strict: frames open in the order they were sealed, once, and none
 * may be missing. So what was sealed must be sent: where the link refuses it, keep the sealed frame
 * and send it first, or close the link. A channel on which a frame did not open opens no more.
 */
export interface LinkCipher {
  seal(channel: Channel, plaintext: Uint8Array): Uint8Array;
  /** Throws `BAD_SECRET` for a replayed, reordered, reflected, truncated or foreign frame. */
  open(channel: Channel, frame: Uint8Array): Uint8Array;
}
