/** The command `quorate`: ties `run()` to this process. */
import { readFileSync } from 'node:fs';
import { run } from './run.ts';

/** The first signal asks for a gentle end; the second ends at once, as a shell reports it. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(128 + number);
      stop.abort();
    });
  }
  longRunning = true;
  endWithRunner(stop);
  return stop.signal;
}

/**
 * `npx quorate …` runs the command below a process of its own, which ends at a signal without
 * passing it on: nobody would be left to stop this one.
 */
function endWithRunner(stop: AbortController): void {
  if (process.env['npm_command'] !== 'exec') return;
  const runner = process.ppid;
  setInterval(() => {
    if (process.ppid !== runner) stop.abort();
  }, 250).unref();
}

/** Of the package that this file is part of, built or not. */
function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

/** Resolves once everything written so far has left, or cannot leave any more. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (!stream.writable) return;
  await new Promise<void>((resolve) => stream.write('', () => resolve()));
}

let longRunning = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A member lives on unheard, whatever became of its reader (T7).
    if (longRunning) return;
    // `quorate range | head`: nobody reads on, which is no failure.
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

const code = await run(process.argv.slice(2), {
  environment: process.env,
  out: process.stdout,
  err: process.stderr,
  input: process.stdin,
  version: version(),
  stopSignal,
});
await flushed(process.stdout);
await flushed(process.stderr);
// Idle connections that are kept for later must not keep the process.
process.exit(code);
