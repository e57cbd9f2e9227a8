import { expect, test } from 'vitest';
import { QuorateError } from '@quorate/contracts';
import { exitCodeOf } from './exit-codes.ts';
import { UsageError } from './flags.ts';
import { complaintOf } from './output.ts';

test.each<[unknown, number]>([
  [new QuorateError('CONFLICT', ''), 1],
  [new UsageError('--relay is missing'), 2],
  [new TypeError('Cannot join: vote is "always"'), 2],
  [new QuorateError('BAD_REQUEST', ''), 2],
  [new QuorateError('NO_QUORUM', ''), 3],
  [new QuorateError('UNREACHABLE', ''), 3],
  [new QuorateError('STORAGE_LOCKED', ''), 3],
  [new QuorateError('COMMIT_UNKNOWN', ''), 4],
  [new Error('what nobody expected'), 4],
])('T29 %s ends the command with %i', (error, code) => {
  expect(exitCodeOf(complaintOf(error))).toBe(code);
});
