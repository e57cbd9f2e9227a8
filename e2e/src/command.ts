/** The built command, as a user has it: nothing here knows how it works inside. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { within } from './wait.ts';

/** The environment variable names another build. */
export const commandPath: string =
  process.env['E2E_COMMAND'] ??
  fileURLToPath(new URL('../../packages/quorate/bin/quorate.js', import.meta.url));

/** What runs it: the Node of these tests, or the binary that the environment variable names. */
export const nodePath: string = process.env['E2E_NODE'] ?? process.execPath;

export type CommandResult = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type SpawnOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is typed, by default nothing. */
  readonly input?: string;
  /** How many descriptors it may have (`ulimit -n`); by default as many as this process. */
  readonly descriptorsMax?: number;
};

/** Starts the command; it is killed with this process at the latest. */
export function start(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  if (!existsSync(commandPath)) throw new Error(`Cannot run ${commandPath}: it is not built`);
  const { descriptorsMax } = options;
  const limited = `ulimit -n ${descriptorsMax} && exec "$0" "$@"`;
  const [file, ...before] =
    descriptorsMax === undefined ? [nodePath] : ['sh', '-c', limited, nodePath];
  const child = spawn(file ?? nodePath, [...before, commandPath, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // A busy machine is slow: nothing here is about how soon a command gives up.
    env: { ...neutralEnvironment(), QUORATE_TIMEOUT_MS: '50000', ...options.env },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(options.input);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs the command to its end. Rejects only when it has none within the time. */
export async function quorate(
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  const child = start(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  try {
    return await within(
      `quorate ${args.join(' ')} ends`,
      ended,
      options.timeoutMs ?? 60_000,
      () => `${stdout}\n${stderr}`,
    );
  } finally {
    child.kill('SIGKILL');
  }
}

/**
 * Runs the command with `--json` and resolves with the one line it prints; it must exit with 0, or
 * with 1 where the answer is no.
 */
export async function quorateJson<T = unknown>(
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<T> {
  const [command = '', ...rest] = args;
  const { code, stdout, stderr } = await quorate([command, '--json', ...rest], options);
  const isAnswered = code === 0 || (code === 1 && !stdout.startsWith('{"error"'));
  if (!isAnswered) {
    throw new Error(`quorate ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  }
  return JSON.parse(stdout) as T;
}

/** Flags can be set as variables: whatever this shell has set must not reach the tests. */
function neutralEnvironment(): Record<string, string | undefined> {
  const names = Object.keys(process.env).filter((name) => !/^(QUORATE_|NODE_|VITEST)/.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
