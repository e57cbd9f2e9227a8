/** Who is gone is dialled no more: pages in numbers come and go beside a Node member. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@playwright/test';
import type { MemberSeat } from '../../src/world.ts';
import { test } from './test.ts';

const rounds = 10;
const tabsAtOnce = 4;
const windowMs = 4_000;
/** Forty pages take their time on a busy machine. */
const long = { timeout: 120_000, intervals: [500] };

/** All that a process has written so far: its log, and what it sends, dials and hellos among it. */
function writtenBytes({ daemon }: MemberSeat): number {
  const wchar = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${daemon.pid}/io`, 'utf8'))?.[1];
  return Number(wchar);
}

/** What it writes while nobody does anything. */
async function idleBytes(member: MemberSeat): Promise<number> {
  const before = writtenBytes(member);
  await sleep(windowMs);
  return writtenBytes(member) - before;
}

test('T10 @soak forty pages come and go over a relay: the Node member is as quiet as before, and knows none but the replica on disk', async ({
  world,
  browserName,
}) => {
  // Skipped: elsewhere nobody tells what a process writes.
  test.skip(process.platform !== 'linux', 'what a process writes is read from /proc');
  // Skipped: what is measured is the Node member, and one browser is enough for it.
  test.skip(browserName !== 'chromium', 'one browser is enough');
  test.setTimeout(10 * 60_000);
  const [member] = await world.startMembers(1);
  if (member === undefined) throw new Error('There is no member');
  await world.profile.context.newPage();
  const quiet = Math.max(await idleBytes(member), await idleBytes(member));

  const known = async (): Promise<string[]> =>
    (await member.status()).members.map(({ label }) => label);
  for (let round = 0; round < rounds; round += 1) {
    const labels = Array.from({ length: tabsAtOnce }, (_, at) => `page-${round}-${at}`);
    const tabs = await Promise.all(labels.map((label) => world.openTab(label)));
    await expect.poll(known, long).toEqual(expect.arrayContaining(labels));
    await Promise.all(tabs.map((tab) => tab.close()));
  }

  const after: number[] = [];
  const isQuiet = async (): Promise<boolean> => {
    after.push(await idleBytes(member));
    return (after.at(-1) ?? Infinity) <= 1.5 * quiet + 1_000;
  };
  await expect.poll(isQuiet, { ...long, message: `${after.join()}, was ${quiet}` }).toBe(true);
  const labels = await known();
  console.log(
    `T10: ${quiet} bytes in ${windowMs} ms before, after ${rounds * tabsAtOnce} pages ${after.join(', ')}; members ${labels.join()}`,
  );
  // The profile keeps one replica on its disk, which stays a member; pages without one are nobody.
  await expect.poll(known, long).toHaveLength(2);
  expect(await known()).toContain(member.label);
});
