import { encodeMessage } from '@quorate/core';
import type { InstallSnapshot, SnapshotMeta } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { ByteReader, ByteWriter, equalBytes, QuorateError } from '@quorate/contracts';
import type { LogStorage } from '@quorate/contracts';
import { MemoryDisk, MemoryStorage } from '@quorate/contracts/memory';
import { SnapshotTransfer } from './snapshot-transfer.ts';

const leader = 'aa'.repeat(16);
const follower = 'bb'.repeat(16);
const kinds = { piece: 1, end: 2, acknowledge: 3, refuse: 4 } as const;

const contents = (length: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + salt) & 0xff);

function metaAt(index: number): SnapshotMeta {
  const membership = { voters: [leader], votersOutgoing: [], learners: [], learnersNext: [] };
  return { term: 1, index, membership, membershipIndex: 1 };
}

async function storageWith(bytes: Uint8Array, index: number): Promise<LogStorage> {
  const storage = new MemoryStorage(new MemoryDisk({ durable: true }));
  await storage.open({ create: true, newNodeId: leader, nonce: '00'.repeat(8) });
  await storage.load();
  await storage.saveSnapshot(metaAt(index), [bytes]);
  return storage;
}

/** A leader with a snapshot and a follower without, and a wire that a test may disturb. */
class Wire {
  readonly clock = new ManualClock();
  readonly reports: boolean[] = [];
  readonly received: InstallSnapshot[] = [];
  readonly toFollower: Uint8Array[] = [];
  readonly toLeader: Uint8Array[] = [];
  /** What becomes of a frame on its way to the follower: the frames that arrive instead. */
  fate: (frame: Uint8Array, count: number) => readonly Uint8Array[] = (frame) => [frame];
  answerFate: (frame: Uint8Array, count: number) => readonly Uint8Array[] = (frame) => [frame];
  takes = true;
  /** Who leads, as the follower sees it. */
  leader: string = leader;
  /** What the follower's decoder throws. */
  unreadable: Error | null = null;
  readonly restored: number[] = [];
  readonly refused: string[] = [];
  strayCount = 0;
  term = 3;
  pieceCount = 0;
  #forward = 0;
  #back = 0;
  readonly sender: SnapshotTransfer;
  readonly receiver: SnapshotTransfer;

  constructor(storage: LogStorage) {
    this.sender = this.#transfer(leader, storage, 1_000, (frame) => {
      if (!this.takes) return false;
      if (frame[0] === kinds.piece) this.pieceCount += 1;
      for (const one of this.fate(frame, this.#forward++)) {
        this.clock.defer(() => this.receiver.receive(leader, one));
      }
      return true;
    });
    this.receiver = this.#transfer(follower, storage, 2_000, (frame) => {
      for (const one of this.answerFate(frame, this.#back++)) {
        this.clock.defer(() => this.sender.receive(follower, one));
      }
      return true;
    });
  }

  #transfer(
    nodeId: string,
    storage: LogStorage,
    firstId: number,
    sendBulk: (frame: Uint8Array) => boolean,
  ): SnapshotTransfer {
    return new SnapshotTransfer(
      {
        nodeId,
        clock: this.clock,
        storage,
        sendBulk: (_to, frame) => sendBulk(frame.slice()),
        currentTerm: () => this.term,
        leads: (from) => from === this.leader,
        decode: (bytes) => {
          if (this.unreadable !== null) throw this.unreadable;
          return () => this.restored.push(bytes.length);
        },
        stray: () => {
          this.strayCount += 1;
        },
        refused: (from, error) => this.refused.push(`${from === leader} ${error.code}`),
        report: (_to, ok) => this.reports.push(ok),
        received: (message) => this.received.push(message),
        failed: (error) => {
          throw error;
        },
      },
      firstId,
    );
  }
}

const big = 1_500_000;

describe('SnapshotTransfer', () => {
  test('S6 a snapshot of many pieces arrives whole, with its message, and is reported', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    expect(wire.reports).toEqual([true]);
    expect(wire.received).toMatchObject([{ type: 'InstallSnapshot', from: leader, term: 3 }]);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(big))).toBe(true);
    expect(wire.pieceCount).toBe(Math.ceil(big / 16_384));
  });

  test('S6 no more than a window is under way unacknowledged', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.answerFate = () => [];
    wire.sender.send(follower);
    await wire.clock.settle();
    expect(wire.pieceCount * 16_384).toBeGreaterThanOrEqual(512 * 1024);
    expect(wire.pieceCount * 16_384).toBeLessThanOrEqual(512 * 1024 + 2 * 16_384);
  });

  test('S6 lost pieces and lost acknowledgements are repeated', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.fate = (frame, count) => (count % 7 === 3 && frame[0] === kinds.piece ? [] : [frame]);
    wire.answerFate = (frame, count) => (count % 5 === 2 ? [] : [frame]);
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0, 600_000);
    expect(wire.reports).toEqual([true]);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(big))).toBe(true);
  });

  test('S7 E11 a stream that outlives its term installs nothing: another leads by now', async () => {
    const wire = new Wire(await storageWith(contents(100_000), 9));
    wire.answerFate = (frame) => {
      wire.term = 4;
      return [frame];
    };
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    await wire.clock.settle();
    expect(wire.reports).toEqual([false]);
    expect(wire.received).toEqual([]);
  });

  test('S7 repeated pieces change nothing', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.fate = (frame) => [frame, frame];
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(big))).toBe(true);
    expect(wire.received.length).toBe(1);
  });

  test('S7 a corrupted piece is never installed', async () => {
    const wire = new Wire(await storageWith(contents(100_000), 9));
    wire.fate = (frame, count) => {
      if (count === 2) frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
      return [frame];
    };
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    await wire.clock.settle();
    expect(wire.received).toEqual([]);
    expect(() => wire.receiver.take(metaAt(9))).toThrow(RangeError);
    wire.fate = (frame) => [frame];
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 1);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(100_000))).toBe(true);
  });

  test('S7 pieces of two snapshots interleaved are never one', async () => {
    const wire = new Wire(await storageWith(contents(100_000), 9));
    const other = new Wire(await storageWith(contents(100_000, 77), 9));
    // Pieces of the other leader's stream arrive between those of this one.
    const foreign: Uint8Array[] = [];
    other.fate = (frame) => {
      const body = new ByteReader(frame);
      const kind = body.u8();
      body.varint();
      foreign.push(new ByteWriter().u8(kind).varint(5_555).raw(body.rest()).finish());
      return [];
    };
    other.sender.send(follower);
    await other.clock.settle();
    wire.fate = (frame, count) => {
      const between = foreign[count];
      return between === undefined ? [frame] : [frame, between];
    };
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0, 600_000);
    expect(wire.received).toEqual([]);
    wire.fate = (frame) => [frame];
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 1, 600_000);
    expect(wire.reports).toEqual([false, true]);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(100_000))).toBe(true);
  });

  test('a link that goes down midway ends the stream; on the next link it arrives', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.answerFate = () => [];
    wire.sender.send(follower);
    await wire.clock.settle();
    wire.sender.unlinked(follower);
    wire.receiver.unlinked(leader);
    await wire.clock.settle();
    expect(wire.reports).toEqual([false]);
    wire.answerFate = (frame) => [frame];
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 1);
    expect(wire.reports).toEqual([false, true]);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(big))).toBe(true);
  });

  test('a follower that never answers is given up, and asked anew later', async () => {
    const wire = new Wire(await storageWith(contents(1_000), 9));
    wire.fate = () => [];
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    expect(wire.reports).toEqual([false]);
  });

  test('a full link delays pieces, it does not lose the snapshot', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.takes = false;
    wire.sender.send(follower);
    await wire.clock.advance(2_500);
    wire.takes = true;
    await wire.clock.until(() => wire.reports.length > 0);
    expect(wire.reports).toEqual([true]);
  });

  test('one being installed is not replaced under the hands of the disk', async () => {
    const wire = new Wire(await storageWith(contents(1_000), 9));
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 1);
    expect(wire.received.length).toBe(1);
    wire.receiver.release()();
    expect(wire.restored).toEqual([1_000]);
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 2);
    expect(wire.received.length).toBe(2);
  });

  test('an end that cannot be read, or speaks for another, is refused and throws nowhere', async () => {
    const message: InstallSnapshot = {
      type: 'InstallSnapshot',
      from: 'cc'.repeat(16),
      to: follower,
      term: 3,
      meta: metaAt(9),
    };
    for (const said of [new Uint8Array([255, 1, 2]), encodeMessage(message)]) {
      const wire = new Wire(await storageWith(contents(1_000), 9));
      const answers: (number | undefined)[] = [];
      wire.answerFate = (frame) => {
        answers.push(frame[0]);
        return [];
      };
      const empty = 0x811c9dc5;
      wire.receiver.receive(leader, new ByteWriter().u8(kinds.piece).varint(7).varint(0).finish());
      wire.receiver.receive(
        leader,
        new ByteWriter().u8(kinds.end).varint(7).varint(0).varint(empty).raw(said).finish(),
      );
      expect(wire.received).toEqual([]);
      expect(answers).toEqual([kinds.acknowledge, kinds.refuse]);
    }
  });

  test('Z40 T8 what cannot be read is refused before anybody hears of it', async () => {
    const wire = new Wire(await storageWith(contents(64), 9));
    wire.unreadable = new RangeError('no snapshot');
    wire.sender.send(follower);
    await wire.clock.until(() => wire.refused.length > 0);
    expect(wire.refused).toEqual(['true BAD_REQUEST']);
    expect(wire.received).toEqual([]);
    expect(() => wire.receiver.take(metaAt(9))).toThrow(RangeError);
    expect(() => wire.receiver.release()).toThrow(RangeError);
    // The next one, that can be read, is taken.
    wire.unreadable = null;
    wire.sender.send(follower);
    await wire.clock.until(() => wire.received.length > 0);
    expect(equalBytes(wire.receiver.take(metaAt(9)), contents(64))).toBe(true);
  });

  test('Z62 a snapshot too new to read is told as OUTDATED', async () => {
    const wire = new Wire(await storageWith(contents(64), 9));
    wire.unreadable = new QuorateError('OUTDATED', 'format 9');
    wire.sender.send(follower);
    await wire.clock.until(() => wire.refused.length > 0);
    expect(wire.refused).toEqual(['true OUTDATED']);
    expect(wire.received).toEqual([]);
  });

  test('Z62 T8 bulk of somebody who does not lead is refused, at its first piece and in the middle', async () => {
    const wire = new Wire(await storageWith(contents(big), 9));
    wire.leader = follower;
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 0);
    expect(wire.reports).toEqual([false]);
    expect(wire.strayCount).toBeGreaterThan(0);
    wire.leader = leader;
    let count = 0;
    wire.fate = (frame) => {
      count += 1;
      if (count === 60) wire.leader = follower;
      return [frame];
    };
    wire.sender.send(follower);
    await wire.clock.until(() => wire.reports.length > 1, 600_000);
    expect(wire.reports).toEqual([false, false]);
    expect(wire.received).toEqual([]);
    expect(wire.refused).toEqual([]);
  });

  test('without a stored snapshot the stream is reported as failed', async () => {
    const storage = new MemoryStorage(new MemoryDisk({ durable: true }));
    await storage.open({ create: true, newNodeId: leader, nonce: '00'.repeat(8) });
    await storage.load();
    const wire = new Wire(storage);
    wire.sender.send(follower);
    await wire.clock.settle();
    expect(wire.reports).toEqual([false]);
  });
});
