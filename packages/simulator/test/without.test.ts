/** A check that can be switched off: what it finds survives then, and nothing else fails instead. */
import { expect, test } from 'vitest';
import { runTasks } from '../src/pool.ts';
import { withoutCheck } from '../src/teeth/bug.ts';
import type { Bug } from '../src/teeth/bug.ts';
import { withProgram } from '../src/teeth/build.ts';
import { bugs } from '../src/teeth/catalog.ts';
import type { Check } from '../src/violation.ts';

async function checkOf(bug: Bug): Promise<Check | null | undefined> {
  let check: Check | null | undefined;
  await withProgram(bug, (script) =>
    runTasks([{ suite: 'core', seed: 1 }], {
      script,
      workerCount: 1,
      taskTimeoutMs: 120_000,
      execArgv: [],
      done: (_, result) => (check = result?.check),
    }),
  );
  return check;
}

test(
  'a bug that one check finds is not found in a build without that check',
  { timeout: 240_000 },
  async () => {
    const bug = bugs.find(({ id }) => id === 'grant-before-durable') as Bug;
    expect(await checkOf(bug)).toBe('durable-vote');
    expect(await checkOf(withoutCheck(bug, 'durable-vote'))).toBe(null);
  },
);
