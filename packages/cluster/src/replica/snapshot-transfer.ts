/**
 * Snapshots on their way to a follower whose log starts too late: pieces on the `bulk` channel, a
 * window of them in flight, acknowledged by position, repeated when acknowledgements stay out, with
 * a checksum over the whole. Heartbeats travel on a channel of their own and never wait for it.
 *
 * Nothing of it is believed before it was read: pieces come from the leader of the present term, and
 * a whole snapshot is decoded before the core or the disk hears of it (Z40, Z62).
 */
import { decodeMessage, encodeMessage } from '@quorate/core';
import type { InstallSnapshot, Message, NodeId, SnapshotMeta } from '@quorate/core';
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  isQuorateError,
  QuorateError,
} from '@quorate/contracts';
import type { Clock, LogStorage } from '@quorate/contracts';

export type SnapshotTransferOptions = {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly storage: LogStorage;
  readonly sendBulk: (to: NodeId, body: Uint8Array) => boolean;
  readonly currentTerm: () => number;
  /** Whether `from` leads the present term, or led it when it was last heard. */
  readonly leads: (from: NodeId) => boolean;
  /** Reads a whole snapshot; the returned function puts it in the state's place. */
  readonly decode: (bytes: Uint8Array, meta: SnapshotMeta) => () => void;
  /** The stream to `to` ended. */
  readonly report: (to: NodeId, ok: boolean) => void;
  /** A whole snapshot arrived, checked: step the message, the bytes wait in `take`. */
  readonly received: (message: InstallSnapshot) => void;
  /** A piece came from somebody who does not lead (any more): not taken. */
  readonly stray: () => void;
  /** The leader sent what is no snapshot (`BAD_REQUEST`), or one too new to read (`OUTDATED`). */
  readonly refused: (from: NodeId, error: QuorateError) => void;
  /** Reading the own disk failed. */
  readonly failed: (error: unknown) => void;
};

type Outgoing = {
  readonly id: number;
  acknowledged: number;
  /** Resolves the wait for an acknowledgement. */
  wake: () => void;
  refused: boolean;
};

type Incoming = {
  readonly id: number;
  readonly parts: Uint8Array[];
  bytes: number;
  checksum: number;
};

type Complete = {
  readonly meta: SnapshotMeta;
  readonly bytes: Uint8Array;
  readonly restore: () => void;
};

export class SnapshotTransfer {
  readonly #options: SnapshotTransferOptions;
  readonly #outgoing = new Map<NodeId, Outgoing>();
  readonly #incoming = new Map<NodeId, Incoming>();
  #complete: Complete | null = null;
  #nextId: number;
  #closed = false;

  /** `firstId` differs between runs, so that an acknowledgement of an earlier run fits nothing. */
  constructor(options: SnapshotTransferOptions, firstId: number) {
    this.#options = options;
    this.#nextId = firstId;
  }

  /** Streams the newest stored snapshot to `to`; one stream per follower at a time. */
  send(to: NodeId): void {
    if (this.#closed || this.#outgoing.has(to)) return;
    const outgoing: Outgoing = {
      id: this.#nextId++,
      acknowledged: 0,
      wake: () => undefined,
      refused: false,
    };
    this.#outgoing.set(to, outgoing);
    this.#stream(to, outgoing, this.#options.currentTerm()).then(
      (ok) => this.#finish(to, outgoing, ok),
      (error: unknown) => {
        this.#finish(to, outgoing, false);
        this.#options.failed(error);
      },
    );
  }

  /** The link to `to` is gone: the stream ends. */
  unlinked(to: NodeId): void {
    this.abandon(to);
    this.#incoming.delete(to);
  }

  /** Ends the stream to `to`, which is reported as failed. */
  abandon(to: NodeId): void {
    const outgoing = this.#outgoing.get(to);
    if (outgoing === undefined) return;
    outgoing.refused = true;
    outgoing.wake();
  }

  /** Bytes that `to` has of the stream under way; null when there is none. */
  acknowledgedBytes(to: NodeId): number | null {
    return this.#outgoing.get(to)?.acknowledged ?? null;
  }

  receive(from: NodeId, body: Uint8Array): void {
    const reader = new ByteReader(body);
    const kind = reader.u8();
    const id = reader.varint();
    if (kind === kinds.acknowledge) {
      const outgoing = this.#outgoing.get(from);
      if (outgoing?.id !== id) return;
      outgoing.acknowledged = Math.max(outgoing.acknowledged, reader.varint());
      outgoing.wake();
    } else if (kind === kinds.refuse) {
      const outgoing = this.#outgoing.get(from);
      if (outgoing?.id !== id) return;
      outgoing.refused = true;
      outgoing.wake();
    } else if (!this.#options.leads(from)) this.#refuseStray(from, id);
    else if (kind === kinds.piece) this.#receivePiece(from, id, reader);
    else if (kind === kinds.end) this.#receiveEnd(from, id, reader);
  }

  /** The bytes of the snapshot that `received` announced. */
  take(meta: SnapshotMeta): Uint8Array {
    const complete = this.#complete;
    if (complete?.meta.index !== meta.index || complete.meta.term !== meta.term) {
      throw new RangeError(`Cannot install snapshot ${meta.index}: its bytes are not here`);
    }
    return complete.bytes;
  }

  /** Lets go of it: whoever installed it puts the state in place by what this returns. */
  release(): () => void {
    const restore = this.#complete?.restore;
    this.#complete = null;
    if (restore === undefined) throw new RangeError('Cannot let go of a snapshot: none is here');
    return restore;
  }

  close(): void {
    this.#closed = true;
    for (const to of this.#outgoing.keys()) this.unlinked(to);
    this.#incoming.clear();
    this.#complete = null;
  }

  #finish(to: NodeId, outgoing: Outgoing, ok: boolean): void {
    if (this.#outgoing.get(to) === outgoing) this.#outgoing.delete(to);
    if (!this.#closed) this.#options.report(to, ok);
  }

  /** `term`: in which this replica leads; a stream that outlives it is worth nothing. */
  async #stream(to: NodeId, outgoing: Outgoing, term: number): Promise<boolean> {
    const snapshot = await this.#options.storage.readSnapshot();
    if (snapshot === null) return false;
    let position = 0;
    let checksum = checksumStart;
    /** Sent and not yet acknowledged, for repetition. */
    const window: { at: number; bytes: Uint8Array }[] = [];
    const repeat = (): void => {
      for (const { at, bytes } of window) this.#sendPiece(to, outgoing.id, at, bytes);
    };
    for await (const chunk of snapshot.chunks) {
      for (let from = 0; from < chunk.length; from += pieceBytes) {
        const bytes = chunk.slice(from, from + pieceBytes);
        checksum = addChecksum(checksum, bytes);
        window.push({ at: position, bytes });
        this.#sendPiece(to, outgoing.id, position, bytes);
        position += bytes.length;
        const limit = position - windowBytes;
        if (!(await this.#acknowledged(outgoing, limit, window, repeat))) return false;
      }
    }
    if (!(await this.#acknowledged(outgoing, position, window, repeat))) return false;
    // Another term has another leader, and only a leader installs snapshots.
    if (this.#options.currentTerm() !== term) return false;
    const message: InstallSnapshot = {
      type: 'InstallSnapshot',
      from: this.#options.nodeId,
      to,
      term,
      meta: snapshot.meta,
    };
    return this.#options.sendBulk(
      to,
      new ByteWriter(256)
        .u8(kinds.end)
        .varint(outgoing.id)
        .varint(position)
        .varint(checksum)
        .raw(encodeMessage(message))
        .finish(),
    );
  }

  /** Waits until everything below `limit` arrived there; false when the stream is dead. */
  async #acknowledged(
    outgoing: Outgoing,
    limit: number,
    window: { at: number; bytes: Uint8Array }[],
    repeat: () => void,
  ): Promise<boolean> {
    for (let silent = 0; ;) {
      if (this.#closed || outgoing.refused) return false;
      const before = outgoing.acknowledged;
      while (window[0] !== undefined && window[0].at + window[0].bytes.length <= before) {
        window.shift();
      }
      if (before >= limit) return true;
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.setTimeout(resolve, acknowledgeTimeoutMs);
        outgoing.wake = () => {
          cancel();
          resolve();
        };
      });
      if (outgoing.acknowledged > before) {
        silent = 0;
        continue;
      }
      silent += 1;
      if (silent > silentCountMax) return false;
      repeat();
    }
  }

  #sendPiece(to: NodeId, id: number, at: number, bytes: Uint8Array): void {
    // A full link refuses: the piece goes with the repetition.
    this.#options.sendBulk(
      to,
      new ByteWriter(bytes.length + 24).u8(kinds.piece).varint(id).varint(at).raw(bytes).finish(),
    );
  }

  #receivePiece(from: NodeId, id: number, reader: ByteReader): void {
    const at = reader.varint();
    let incoming = this.#incoming.get(from);
    if (incoming?.id !== id) {
      // Another stream begins; pieces of two are never mixed (S7).
      if (at !== 0) {
        this.#answer(from, kinds.refuse, id, 0);
        return;
      }
      incoming = { id, parts: [], bytes: 0, checksum: checksumStart };
      this.#incoming.set(from, incoming);
    }
    if (at === incoming.bytes) {
      const bytes = reader.rest();
      if (incoming.bytes + bytes.length > snapshotBytesMax) {
        this.#incoming.delete(from);
        this.#answer(from, kinds.refuse, id, 0);
        return;
      }
      incoming.parts.push(bytes);
      incoming.bytes += bytes.length;
      incoming.checksum = addChecksum(incoming.checksum, bytes);
    }
    this.#answer(from, kinds.acknowledge, id, incoming.bytes);
  }

  #receiveEnd(from: NodeId, id: number, reader: ByteReader): void {
    const bytes = reader.varint();
    const checksum = reader.varint();
    const incoming = this.#incoming.get(from);
    if (incoming?.id !== id) return;
    this.#incoming.delete(from);
    if (incoming.bytes !== bytes || incoming.checksum !== checksum) {
      this.#answer(from, kinds.refuse, id, 0);
      return;
    }
    const message = decodeOrNull(reader.rest());
    if (message?.type !== 'InstallSnapshot' || message.from !== from) {
      this.#answer(from, kinds.refuse, id, 0);
      return;
    }
    // One that is being installed is never replaced under the disk's hands.
    if (this.#complete !== null) return;
    const { meta } = message;
    const whole = concatBytes(incoming.parts);
    let restore: () => void;
    try {
      restore = this.#options.decode(whole, meta);
    } catch (error) {
      this.#answer(from, kinds.refuse, id, 0);
      this.#options.refused(from, asUnreadable(error));
      return;
    }
    this.#complete = { meta, bytes: whole, restore };
    this.#options.received(message);
  }

  #refuseStray(from: NodeId, id: number): void {
    this.#incoming.delete(from);
    this.#answer(from, kinds.refuse, id, 0);
    this.#options.stray();
  }

  #answer(to: NodeId, kind: number, id: number, position: number): void {
    this.#options.sendBulk(to, new ByteWriter(20).u8(kind).varint(id).varint(position).finish());
  }
}

/** A peer can never make this member throw: what cannot be read is no message. */
function decodeOrNull(bytes: Uint8Array): Message | null {
  try {
    return decodeMessage(bytes);
  } catch {
    return null;
  }
}

/** Too new to read stays what it is; whatever else a decoder throws means that it is none. */
function asUnreadable(error: unknown): QuorateError {
  if (isQuorateError(error, 'OUTDATED')) return error;
  return new QuorateError('BAD_REQUEST', 'Cannot read a snapshot', { cause: error });
}

const kinds = { piece: 1, end: 2, acknowledge: 3, refuse: 4 } as const;
/** Small enough for a WebRTC message; many are joined where the transport likes big writes. */
const pieceBytes = 16 * 1024;
const windowBytes = 512 * 1024;
const acknowledgeTimeoutMs = 1_000;
const silentCountMax = 5;
const snapshotBytesMax = 512 * 1024 * 1024;

/** FNV-1a, 32 bits: sealed frames catch an attacker, this catches our own mistakes. */
const checksumStart = 0x811c9dc5;

function addChecksum(checksum: number, bytes: Uint8Array): number {
  let value = checksum;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
