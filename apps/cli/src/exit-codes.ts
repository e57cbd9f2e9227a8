/** How a command ends, for scripts: what they need to know before they go on. */
import type { Complaint } from './output.ts';

export const exitCodes = {
  done: 0,
  /** It was asked, and the answer is no: the key is absent, the condition does not hold. */
  no: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** It failed, and had no effect. */
  failed: 3,
  /** It failed, and may have had its effect. */
  unknown: 4,
} as const;

export function exitCodeOf({ code, outcome }: Pick<Complaint, 'code' | 'outcome'>): number {
  if (code === 'CONFLICT') return exitCodes.no;
  if (code === 'BAD_REQUEST' || code === 'LIMIT_EXCEEDED') return exitCodes.usage;
  return outcome === 'unknown' ? exitCodes.unknown : exitCodes.failed;
}
