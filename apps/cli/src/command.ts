/** What a command is: its words, its flags, and what runs. */
import type { Flag, Flags } from './flags.ts';
import type { Output } from './output.ts';

export type Context = {
  readonly output: Output;
  /** Aborted by the first Ctrl-C or SIGTERM, for commands that end gently. */
  readonly stop: AbortSignal;
  /** What is piped into the command. */
  readonly input: AsyncIterable<Uint8Array>;
};

/** Resolves with the exit code (see exit-codes.ts). Failures are thrown. */
export type Run = (flags: Flags, context: Context) => Promise<number>;

export type Command = {
  readonly name: string;
  /** Its positional arguments, as help prints them. */
  readonly parameters: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What else is worth knowing; may be empty. */
  readonly details: string;
  readonly flags: readonly Flag[];
  readonly examples: readonly string[];
  /** Runs until it is told to stop: says what happens as events, and ends gently. */
  readonly longRunning: boolean;
  readonly load: () => Promise<Run>;
};
