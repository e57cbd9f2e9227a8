// npm run soak: what is too long for `npm test`, one stage after another. Names of stages may follow:
//
//   npm run soak -- teeth
import { endAllOnSignal, install } from './lib/run.mjs';

endAllOnSignal();
const { code } = await install({ timeoutMs: 15 * 60_000 });
if (code !== 0) {
  console.error('Cannot install the workspace: see above');
  process.exit(1);
}
const { runStages, soakStages, stages } = await import('./lib/stages.mjs');
const names = process.argv.slice(2);
const unknown = names.filter((name) => stages[name] === undefined);
if (unknown.length > 0) {
  console.error(`Cannot run ${unknown.join(', ')}, wanted some of ${soakStages.join(' ')}`);
  process.exit(2);
}
process.exitCode = await runStages(names.length > 0 ? names : soakStages);
