#!/usr/bin/env node
import { existsSync } from 'node:fs';

const command = new URL('../dist/cli.js', import.meta.url);
if (existsSync(command)) {
  await import(command.href);
} else {
  // Only in a checkout: the published package always has it.
  console.error(
    'Cannot run quorate: dist/cli.js is not built, wanted `npm start` or `npm run build` first',
  );
  process.exitCode = 1;
}
