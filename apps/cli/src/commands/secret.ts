/** `quorate secret generate`, `topic`: a new secret, and by which name relays know a namespace. */
import { systemRandom } from '@quorate/contracts';
import { generateSecret } from '@quorate/crypto';
import type { Context, Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { createSecretFile } from '../output-file.ts';
import { secretOf, topicsOf } from '../secrets.ts';

export const runSecret: Run = async (flags, context) => {
  const [verb] = positionals(flags, ['generate or topic'], 1);
  switch (verb) {
    case 'generate':
      return generate(flags, context);
    case 'topic':
      return topic(flags, context);
    default:
      throw new UsageError(`Unknown verb ${verb}, wanted generate or topic`);
  }
};

async function generate(flags: Flags, { output }: Context): Promise<number> {
  const secret = generateSecret(systemRandom);
  const file = flags.text('out');
  if (file === undefined) {
    output.result({ secret }, secret);
    return 0;
  }
  await createSecretFile(file, `${secret}\n`);
  output.result({ file }, `Wrote a new secret to ${file}, for its owner alone`);
  return 0;
}

/** What a relay is told with --allow. It gives nothing of the secret away. */
async function topic(flags: Flags, { output }: Context): Promise<number> {
  const namespace = flags.text('namespace');
  if (namespace === undefined) throw new UsageError('--namespace is missing');
  const topics = topicsOf(namespace, await secretOf(flags));
  output.result({ namespace, topics }, topics.join('\n'));
  return 0;
}
