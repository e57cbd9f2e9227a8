/** Which namespaces a relay serves, as its flags say. */
import { readLines } from './files.ts';
import { UsageError } from './flags.ts';
import type { Flags } from './flags.ts';

/** Topics of --allow and of the lines of --allow-file as it is now; null: all. Throws `UsageError`. */
export async function allowedTopics(flags: Flags): Promise<readonly string[] | null> {
  const given = flags.list('allow').map((text) => topicOf(text, `--allow ${text}`));
  const path = flags.text('allow-file');
  if (path === undefined) return given.length === 0 ? null : given;
  const lines = await readLines('allow-file', path, 'a topic');
  const listed = lines.map(({ text, number }) =>
    topicOf(text, `--allow-file ${path}: line ${number} is no topic`),
  );
  return [...given, ...listed];
}

function topicOf(text: string, what: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new UsageError(
    `Cannot use ${what}: wanted the 64 digits that \`quorate secret topic\` prints`,
  );
}
