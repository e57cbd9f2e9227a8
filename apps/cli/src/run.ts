/** From a command line to an exit code: finds the command, reads its flags, reports its failure. */
import { commands } from './commands.ts';
import type { Command } from './command.ts';
import { nearest } from '@quorate/contracts/options';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { UsageError, parseFlags } from './flags.ts';
import { helpOf, overview } from './help.ts';
import { Output, complaintOf } from './output.ts';
import type { Sink } from './output.ts';

export type Surroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: Sink;
  readonly err: Sink;
  readonly input: AsyncIterable<Uint8Array>;
  /** Of the package, for `--version`. */
  readonly version: string;
  /** Called by long-running commands: from then on the first signal only aborts this. */
  readonly stopSignal: () => AbortSignal;
};

/**
 * Runs one command line and resolves with its exit code (see exit-codes.ts). A failure is
 * told on `err`, or with `--json` as one line on `out`: `{"error":{"code","outcome","message"}}`,
 * for long-running commands as the event `error`. Never rejects.
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, environment } = surroundings;
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    out.write(overview());
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  if (name === 'version' || name === '--version' || name === '-v') {
    out.write(`${surroundings.version}\n`);
    return exitCodes.done;
  }
  const command = commands.find((candidate) => candidate.name === name);
  // Known before the flags are, for it decides how a mistake in them is told.
  const asJson = wantsJson(rest, environment);
  const output = new Output({ json: asJson, out, err });
  try {
    if (command === undefined) throw unknownCommand(name);
    if (wantsHelp(rest)) {
      out.write(helpOf(command));
      return 0;
    }
    const flags = parseFlags(command.flags, rest, environment);
    const execute = await command.load();
    const stop = command.longRunning ? surroundings.stopSignal() : new AbortController().signal;
    return await execute(flags, { output, stop, input: surroundings.input });
  } catch (error) {
    return report(error, command, output);
  }
}

function report(error: unknown, command: Command | undefined, output: Output): number {
  const complaint = complaintOf(error);
  const exitCode = exitCodeOf(complaint);
  if (output.json) {
    const { code, message } = complaint;
    const event = command?.longRunning === true;
    output.result(event ? { event: 'error', code, message } : { error: complaint }, '');
    return exitCode;
  }
  const who = command === undefined ? 'quorate' : `quorate ${command.name}`;
  if (error instanceof UsageError) {
    output.note(`${who}: ${complaint.message}\nSee: ${who} --help`);
  } else {
    output.note(`${who}: ${complaint.message} (${complaint.code})`);
    if (complaint.code === 'INTERNAL' && error instanceof Error) output.note(error.stack ?? '');
  }
  return exitCode;
}

function unknownCommand(name: string): UsageError {
  const near = nearest(
    name,
    commands.map((command) => command.name),
  );
  const hint = near === undefined ? '' : `, did you mean ${near}?`;
  return new UsageError(`Unknown command ${name}${hint}`);
}

function wantsJson(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const own = beforeSeparator(args);
  if (own.includes('--json') || own.includes('--json=true')) return true;
  return /^(1|true|yes|on)$/i.test(environment['QUORATE_JSON'] ?? '');
}

function wantsHelp(args: readonly string[]): boolean {
  const own = beforeSeparator(args);
  return own.includes('--help') || own.includes('-h');
}

function beforeSeparator(args: readonly string[]): readonly string[] {
  const separator = args.indexOf('--');
  return separator === -1 ? args : args.slice(0, separator);
}
