// Which rules and scenarios have a test that carries their id. `tools/tidy.mjs` fails for one that has
// none and is not on the list of those to come.
//
//   node tools/ids.mjs            a line per id: how many tests name it, and in which files
//   node tools/ids.mjs --missing  only those without one, and why
import { knownIds, later, testsById } from './lib/test-ids.mjs';

const tests = testsById();
const onlyMissing = process.argv.includes('--missing');
const ids = knownIds();
let covered = 0;
for (const id of ids) {
  const where = tests.get(id) ?? [];
  if (where.length > 0) covered += 1;
  if (onlyMissing && where.length > 0) continue;
  const words = where.length > 0 ? [...new Set(where)].join(' ') : (later[id] ?? 'none');
  console.log(`${id.padEnd(5)}${String(where.length).padStart(3)}  ${words}`);
}
console.log(`${covered} of ${ids.length} have a test`);
