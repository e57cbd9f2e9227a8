/** `quorate secret generate` */
import { generateSecret } from '@quorate/crypto';
import { randomBytes } from 'node:crypto';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';

export const runSecret: Run = async (flags, { output }) => {
  const [verb] = positionals(flags, ['generate'], 1);
  if (verb !== 'generate') throw new UsageError(`Unknown verb ${verb}, wanted generate`);
  const secret = generateSecret((count) => new Uint8Array(randomBytes(count)));
  output.result({ secret }, secret);
  return 0;
};
