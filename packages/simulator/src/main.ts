/** Entry of `pnpm sim`, and of the worker processes it starts. */
import { fileURLToPath } from 'node:url';
import { runCli } from './cli.ts';
import { serveTasks } from './worker.ts';

if (process.argv[2] === '--worker') serveTasks();
else process.exitCode = await runCli(process.argv.slice(2), fileURLToPath(import.meta.url));
