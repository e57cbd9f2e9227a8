import { describe, expect, test } from 'vitest';
import { isQuorateError } from '@quorate/contracts';
import { Prng } from '../src/prng.ts';
import { ProcessClock, VirtualClock } from '../src/virtual-clock.ts';
import { VirtualRegister } from '../src/virtual-register.ts';

const conditions = { delayMsMin: 1, delayMsMax: 5, requestLossChance: 0, answerLossChance: 0 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('VirtualRegister', () => {
  test('of many who claim at once exactly one wins (Z10)', async () => {
    const clock = new VirtualClock();
    const register = new VirtualRegister({ clock, prng: new Prng(1), conditions });
    const claims = Array.from({ length: 20 }, (_, i) => {
      const client = register.client(`host-${i}`, new ProcessClock(clock));
      return client.compareAndSet(0, bytes(`claim ${i}`), new AbortController().signal);
    });
    await clock.run(100);
    const results = await Promise.all(claims);
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(register.record?.version).toBe(1);
  });

  test('a lost answer is UNREACHABLE although the value was set', async () => {
    const clock = new VirtualClock();
    const register = new VirtualRegister({
      clock,
      prng: new Prng(1),
      conditions: { ...conditions, answerLossChance: 1 },
    });
    const client = register.client('host', new ProcessClock(clock));
    const claim = client
      .compareAndSet(0, bytes('claim'), new AbortController().signal)
      .catch((error: unknown) => error);
    await clock.run(5_000);
    expect(isQuorateError(await claim, 'UNREACHABLE')).toBe(true);
    expect(register.record?.version).toBe(1);
    register.heal();
    const read = client.read(new AbortController().signal);
    await clock.run(6_000);
    expect((await read)?.value).toEqual(bytes('claim'));
  });

  test('an unreachable register answers nobody and changes nothing', async () => {
    const clock = new VirtualClock();
    const register = new VirtualRegister({
      clock,
      prng: new Prng(1),
      conditions: { ...conditions },
    });
    register.up = false;
    const client = register.client('host', new ProcessClock(clock));
    const claim = client
      .compareAndSet(0, bytes('claim'), new AbortController().signal)
      .catch((error: unknown) => error);
    await clock.run(5_000);
    expect(isQuorateError(await claim, 'UNREACHABLE')).toBe(true);
    expect(register.record).toBe(null);
  });
});
