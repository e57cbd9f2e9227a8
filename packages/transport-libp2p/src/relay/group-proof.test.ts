import { systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { expect, test } from 'vitest';
import { generatePrivateKey, readPrivateKey } from '../host/private-key.ts';
import { certificateMs, readCertificate } from '../wire/certificate.ts';
import { GroupProof } from './group-proof.ts';

/** Time that is set by hand, and one timer. */
class HandClock implements Clock {
  originMs = 1_700_000_000_000;
  nowMs = 0;
  timer: () => void = () => {};
  now = (): number => this.nowMs;
  defer = systemClock.defer.bind(systemClock);
  setTimeout = (run: () => void): (() => void) => {
    this.timer = run;
    return () => (this.timer = () => {});
  };
}

test('T27 Z59 a certificate is good for a day and renewed by itself at half of it, with the counter of then', async () => {
  const clock = new HandClock();
  let [counter, renewed] = [3, 0];
  const proof = new GroupProof({
    groupKey: await readPrivateKey(await generatePrivateKey()),
    ...{ peer: 'relay', clock, counter: () => counter, onRenewed: () => (renewed += 1) },
  });
  await proof.start();
  const first = await readCertificate(proof.certificate);
  expect(first).toMatchObject({ counter: 3, fromMs: clock.originMs });
  expect((first?.untilMs ?? 0) - (first?.fromMs ?? 0)).toBe(24 * 3_600_000);

  counter = 5;
  clock.nowMs = certificateMs / 2 - 1;
  clock.timer();
  expect(renewed).toBe(0);
  // Let the look that changed nothing set its timer again.
  await new Promise(setImmediate);
  clock.nowMs += 1;
  clock.timer();
  await expect.poll(() => renewed, { timeout: 10_000 }).toBe(1);
  expect(await readCertificate(proof.certificate)).toMatchObject({
    counter: 5,
    fromMs: clock.originMs + certificateMs / 2,
  });
  // A clock that was set back would leave a certificate of the future.
  await new Promise(setImmediate);
  clock.nowMs = 0;
  clock.timer();
  await expect.poll(() => renewed, { timeout: 10_000 }).toBe(2);
  proof.stop();
});
