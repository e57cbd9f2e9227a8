// pnpm browsers: what only real browsers can show. Arguments are Playwright's own:
//
//   node tools/browsers.mjs                 everything, in each browser that can be had
//   node tools/browsers.mjs -g B9           one scenario
import { runBrowserTests } from './lib/browsers.mjs';
import { endAllOnSignal } from './lib/run.mjs';

endAllOnSignal();
const { failed } = await runBrowserTests(process.argv.slice(2), { timeoutMs: 45 * 60_000 });
process.exitCode = failed > 0 ? 1 : 0;
