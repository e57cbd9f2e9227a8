/**
 * Transcripts: scripts of commands for a few machines, with everything that happened written below
 * each command, in one file that a person can read and a test can compare.
 *
 *   # What this is about; the first line is the test's title.
 *   > campaign 1
 *     what happened, indented
 *
 * Lines are comments (`#`), empty, commands (`>`) or, indented by two blanks, what the command above
 * them brought about. The commands are in `transcript-commands.ts`; docs/TESTING.md lists them.
 */
import { Args, ScriptError } from './transcript-args.ts';
import { commands } from './transcript-commands.ts';
import { World } from './transcript-world.ts';

/** The script of `text` once more, each command followed by what it brought about now. */
export function rewriteTranscript(text: string, file: string): string {
  const world = new World();
  const lines: string[] = [];
  for (const { kind, line, number } of readScript(text, file)) {
    lines.push(line);
    if (kind !== 'command') continue;
    try {
      runCommand(world, line.slice(2));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const so = world.takeLines().map((each) => `\n  ${each}`);
      throw new Error(`${file}:${number}: ${what}${so.join('')}`, { cause: error });
    }
    lines.push(...world.takeLines().map((each) => `  ${each}`));
  }
  return `${lines.join('\n')}\n`;
}

/** The first comment of a transcript, which says what it is about. Throws when there is none. */
export function titleOf(text: string, file: string): string {
  const title = /^# (.+)/.exec(text)?.[1];
  if (title === undefined) throw new Error(`${file}:1: No title, wanted a first line \`# …\``);
  return title;
}

type ScriptLine = {
  readonly kind: 'words' | 'command';
  readonly line: string;
  readonly number: number;
};

/** Everything but the outputs. */
function readScript(text: string, file: string): ScriptLine[] {
  const script: ScriptLine[] = [];
  let below = false;
  const all = text.replace(/\n$/, '').split('\n');
  for (const [index, line] of all.entries()) {
    const number = index + 1;
    if (line.startsWith('> ')) {
      script.push({ kind: 'command', line, number });
      below = true;
    } else if (line === '' || line.startsWith('#')) {
      script.push({ kind: 'words', line, number });
      below = false;
    } else if (!line.startsWith('  ')) {
      throw new Error(
        `${file}:${number}: Cannot read ${JSON.stringify(line)}: wanted \`# words\`, \`> command\`, an indented output or nothing`,
      );
    } else if (!below) {
      throw new Error(`${file}:${number}: An output without a command right above it`);
    }
  }
  return script;
}

function runCommand(world: World, text: string): void {
  const words = text.split(' ').filter((word) => word !== '');
  world.quiet = words[0] === 'quietly';
  const [name = '', ...rest] = world.quiet ? words.slice(1) : words;
  const command = commands.get(name);
  if (command === undefined) {
    throw new ScriptError(`No command '${name}', wanted one of ${[...commands.keys()].join(' ')}`);
  }
  const args = new Args(rest);
  try {
    command.run(world, args);
    args.end();
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    throw new ScriptError(`${error.message}; usage: ${name} ${command.usage}`, { cause: error });
  }
}
