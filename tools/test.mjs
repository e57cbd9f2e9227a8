// npm test: installs what it needs, runs every check and every test, and ends with
// `N passed, N failed` alone on the last line. Plain Node: nothing has to be installed before.
import { endAllOnSignal, install } from './lib/run.mjs';

endAllOnSignal();
console.log('── installing ──');
const { code } = await install({ timeoutMs: 15 * 60_000 });
if (code === 0) {
  const { runStages, testStages } = await import('./lib/stages.mjs');
  process.exitCode = await runStages(testStages);
} else {
  console.error('Cannot install the workspace: see above');
  console.log('\n0 passed, 1 failed');
  process.exitCode = 1;
}
