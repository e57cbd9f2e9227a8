/** `quorate doctor`: what only a person can decide about the data of a member. */
import { findReplica, keepThis } from '@quorate/join/doctor';
import type { FoundReplica } from '@quorate/join/doctor';
import { ask } from '../ask.ts';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import { shortId } from '../output.ts';
import type { Output } from '../output.ts';

export const runDoctor: Run = async (flags, { output, stop }) => {
  positionals(flags, [], 0);
  const data = flags.text('keep-this');
  if (data === undefined) throw new UsageError('--keep-this is missing');
  const found = await findReplica(data);
  const { nodeId, mark } = found.run;
  if (mark === null) {
    const text = `Member ${shortId(nodeId)} in ${found.directory} is not marked: nothing to decide`;
    output.result({ nodeId, marked: false }, text);
    return 0;
  }
  if (!flags.boolean('yes') && !(await isConfirmed(found, output, stop))) {
    output.note('Nothing was changed');
    return 1;
  }
  const { epoch, givenUp } = await keepThis(found.directory);
  const branches = givenUp.map((run) => `run ${run.epoch}`).join(', ');
  output.result(
    { nodeId, marked: true, epoch, givenUp },
    `Member ${shortId(nodeId)} may be started again. Given up for it: ${branches || 'nothing'}`,
  );
  return 0;
};

/** Asks for the first digits of the member's id: a word that nobody types by habit. */
async function isConfirmed(
  { directory, run }: FoundReplica,
  output: Output,
  stop: AbortSignal,
): Promise<boolean> {
  const wanted = shortId(run.nodeId);
  output.note(
    `${directory} holds run ${run.epoch} of member ${wanted}. ${run.mark?.message ?? ''}\n` +
      'If you keep it, the other copy is refused from now on, and what only that one had\n' +
      'acknowledged may be lost. Stop the other one first.',
  );
  return (await ask(`Type ${wanted} to keep this one: `, stop)) === wanted;
}
