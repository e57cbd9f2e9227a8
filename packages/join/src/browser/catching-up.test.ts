import { KvStateMachine } from '@quorate/kv';
import { describe, expect, test } from 'vitest';
import { CatchingUp } from './catching-up.ts';

const bytesOf = (machine: KvStateMachine): Uint8Array =>
  Uint8Array.from(Buffer.concat([...machine.snapshot()]));

describe('CatchingUp', () => {
  test('a snapshot that was read before it caught up goes where the state is by then', () => {
    const shown = new KvStateMachine();
    const state = new CatchingUp(shown);
    const source = new KvStateMachine({ history: { revisionCountMax: 7, bytesMax: 1_000 } });
    const empty = bytesOf(source);
    const restore = state.decode(empty);
    expect(shown.loaded).toBe(false);
    state.show();
    restore();
    expect(shown.loaded).toBe(true);
    expect(bytesOf(shown)).toEqual(empty);
  });

  test('throws for what is no snapshot, and shows what it showed', () => {
    const shown = new KvStateMachine();
    const before = bytesOf(shown);
    const state = new CatchingUp(shown);
    expect(() => state.decode(new Uint8Array(64))).toThrow('no snapshot');
    expect(bytesOf(shown)).toEqual(before);
  });
});
