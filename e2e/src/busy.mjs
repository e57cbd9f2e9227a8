/**
 * Loaded into a process before its program: on SIGUSR2 the process computes, and its event loop stands
 * still, for as many milliseconds as the file says; then that is written beside it.
 */
import { appendFileSync, readFileSync } from 'node:fs';

const file = process.env['E2E_BUSY'] ?? '';

process.on('SIGUSR2', () => {
  const busyMs = Number(readFileSync(file, 'utf8'));
  const until = performance.now() + busyMs;
  while (performance.now() < until);
  appendFileSync(`${file}.done`, `${busyMs}\n`);
});
