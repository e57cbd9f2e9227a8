/** The secret of a namespace, as flags name it, and what a person is told where anybody has it. */
import { systemRandom } from '@quorate/contracts';
import { createCipher } from '@quorate/crypto';
import { isHere } from './addresses.ts';
import { readSecretLines } from './files.ts';
import { UsageError } from './flags.ts';
import type { Flags } from './flags.ts';

export type GivenSecret = {
  /** The ring, the primary first. */
  readonly secrets: readonly string[];
  /** Anybody who knows the name can take part: none was given, or one of the ring is `public`. */
  readonly isPublic: boolean;
};

/** Throws `UsageError`. */
export async function secretOf(flags: Flags): Promise<GivenSecret> {
  const secrets = (await readSecretLines(flags, 'secret-file', 'a secret')) ?? ['public'];
  return { secrets, isPublic: secrets.includes('public') };
}

/**
 * What to say at a start where the namespace is public; null where it is not. Throws `UsageError` where
 * others than this machine's programs could reach it, and `--public` does not say that this is meant.
 */
export function publicNote(
  { isPublic }: GivenSecret,
  flags: Flags,
  addresses: readonly string[],
): string | null {
  if (!isPublic) return null;
  const beyond = addresses.find((address) => !isHere(address));
  if (beyond !== undefined && !flags.boolean('public')) {
    throw new UsageError(
      `Cannot use a public namespace at ${beyond}: whoever reaches it could read and write everything. ` +
        'Wanted --secret-file with a secret (quorate secret generate --out FILE), or --public if that is meant',
    );
  }
  const name = flags.text('namespace');
  const namespace = name === undefined ? 'The namespace' : `Namespace ${name}`;
  return (
    `${namespace} is public: whoever reaches the relay can read and write it. ` +
    'Give members a --secret-file to keep it to yourself (quorate secret generate --out FILE)'
  );
}

/** The names under which a relay knows the namespace, one for each secret, the primary's first. */
export function topicsOf(namespace: string, { secrets }: GivenSecret): readonly string[] {
  return createCipher({ namespace, secrets, random: systemRandom }).topics.toReversed();
}
