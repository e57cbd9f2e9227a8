import { describe, expect, test } from 'vitest';
import type { Answer } from './answer.ts';
import { AnswerRoom } from './answer-room.ts';

const answer = (bytes: number): Answer => ({ bytes, parts: () => [] });
const mebibyte = 1024 * 1024;

describe('AnswerRoom', () => {
  test('T15 pages shrink as the room of all connections does, then OVERLOADED names the limit', async () => {
    const all = new AnswerRoom({
      answerBytesMax: 8 * mebibyte,
      connectionAnswerBytesMax: mebibyte,
    });
    const pages: number[] = [];
    // Readers that take nothing, each on a connection of its own.
    const fill = async (): Promise<never> => {
      for (;;) {
        await all.open().read(async (pageBytes) => {
          pages.push(pageBytes);
          return answer(pageBytes);
        });
      }
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'OVERLOADED',
      details: { limit: 'answerBytesMax' },
    });
    expect(pages[0]).toBe(2 * mebibyte);
    expect([...pages].sort((a, b) => b - a)).toEqual(pages);
    expect(pages.length).toBeGreaterThan(10);
    expect(all.heldBytes).toBeLessThan(8 * mebibyte);
  });

  test('T15 a connection’s reads wait for its reader, one after the other', async () => {
    const all = new AnswerRoom({ answerBytesMax: mebibyte, connectionAnswerBytesMax: 1_000 });
    const room = all.open();
    const done: number[] = [];
    const reads = [1, 2, 3].map((number) =>
      room.read(async () => {
        done.push(number);
        return answer(1_000);
      }),
    );
    await reads[0];
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(done).toEqual([1]);
    // Another connection's do not.
    await all.open().read(async () => answer(1));
    room.give(1_000);
    await reads[1];
    room.close();
    await expect(reads[2]).rejects.toMatchObject({ code: 'ABORTED' });
    expect([done, all.heldBytes]).toEqual([[1, 2], 1]);
    room.take(1_000);
    expect(all.heldBytes).toBe(1);
  });
});
