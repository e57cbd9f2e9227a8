import { describe, expect, test } from 'vitest';
import { RequestRoom } from './request-room.ts';

const never = new AbortController().signal;
const waitMs = 60_000;

/** What entered so far, in order. */
function entering(
  room: RequestRoom,
): [string[], (name: string, bytes: number, gone?: AbortSignal) => Promise<void>] {
  const entered: string[] = [];
  const enter = async (name: string, bytes: number, gone = never): Promise<void> => {
    await room.enter(bytes, gone);
    entered.push(name);
  };
  return [entered, enter];
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

describe('RequestRoom', () => {
  test('T16 lets in what fits, and the others in turn as room comes back', async () => {
    const room = new RequestRoom(1_000_000, waitMs);
    const [entered, enter] = entering(room);
    await enter('a', 700_000);
    const waiting = [enter('b', 700_000), enter('c', 200_000), enter('d', 100_000)];
    await turns();
    // Not past one that waits, though there is room for it.
    expect(entered).toEqual(['a']);
    expect(room.waitingBytes).toBe(1_000_000);
    room.leave(700_000);
    await Promise.all(waiting);
    expect(entered).toEqual(['a', 'b', 'c', 'd']);
    expect([room.heldBytes, room.waitingBytes]).toEqual([1_000_000, 0]);
  });

  test('T16 lets small ones pass, as far as an eighth more', async () => {
    const room = new RequestRoom(80_000, waitMs);
    const [entered, enter] = entering(room);
    await enter('a', 80_000);
    void enter('b', 80_000);
    await enter('small', 10_000);
    void enter('one too many', 10_000);
    await turns();
    expect(entered).toEqual(['a', 'small']);
    room.leave(80_000);
    room.leave(10_000);
    await turns();
    expect(entered).toEqual(['a', 'small', 'b']);
    room.leave(80_000);
    await turns();
    expect(entered).toEqual(['a', 'small', 'b', 'one too many']);
  });

  test('T16 takes a lone one of any size', async () => {
    const room = new RequestRoom(100, waitMs);
    await room.enter(50_000, never);
    expect(room.heldBytes).toBe(50_000);
    expect(() => room.add(1)).toThrow('Cannot take 1 bytes more');
    room.leave(50_000);
    room.add(500);
    expect(room.heldBytes).toBe(500);
  });

  test('T16 whoever gives up, or waited too long, lets the next one in', async () => {
    const room = new RequestRoom(1_000_000, waitMs);
    const [entered, enter] = entering(room);
    await enter('a', 600_000);
    const gone = new AbortController();
    const given = enter('b', 600_000, gone.signal);
    const next = enter('c', 400_000);
    await turns();
    gone.abort();
    await expect(given).rejects.toMatchObject({ code: 'ABORTED' });
    await next;
    expect(entered).toEqual(['a', 'c']);
    await expect(room.enter(600_000, gone.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    expect([room.heldBytes, room.waitingBytes]).toEqual([1_000_000, 0]);
    const impatient = new RequestRoom(1_000_000, 1);
    await impatient.enter(1_000_000, never);
    const refused = { code: 'OVERLOADED', details: { limit: 'requestBytesMax' } };
    await expect(impatient.enter(20_000, never)).rejects.toMatchObject(refused);
    expect([impatient.heldBytes, impatient.waitingBytes]).toEqual([1_000_000, 0]);
  });
});
