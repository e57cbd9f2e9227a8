// pnpm check: every check that needs no network and no long run. Names of stages may follow:
//
//   node tools/check.mjs              all of them
//   node tools/check.mjs tidy types   these two
import { endAllOnSignal } from './lib/run.mjs';
import { checkStages, runStages, stages } from './lib/stages.mjs';

const names = process.argv.slice(2);
const unknown = names.filter((name) => stages[name] === undefined);
if (unknown.length > 0) {
  console.error(
    `Cannot check ${unknown.join(', ')}, wanted some of ${Object.keys(stages).join(' ')}`,
  );
  process.exit(2);
}
endAllOnSignal();
process.exitCode = await runStages(names.length > 0 ? names : checkStages);
