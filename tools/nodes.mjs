// The suites of bad neighbours and strangers with processes of several versions of Node:
//
//   node tools/nodes.mjs                  22 and 24
//   node tools/nodes.mjs 20.19.0 22       these
//   node tools/nodes.mjs 24 -- kills      other files of e2e
//
// Each version comes from the registry, as the package `node`; it runs the built command, while the
// tests themselves stay on the Node at hand.
import { endAllOnSignal, environment, run } from './lib/run.mjs';

const [versions, files] = split(process.argv.slice(2));
endAllOnSignal();
let failed = 0;
for (const version of versions) {
  const { code, output } = await run(
    'npx',
    ['-y', '-p', `node@${version}`, 'node', '-p', 'process.execPath'],
    { quiet: true, timeoutMs: 300_000 },
  );
  const binary = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || binary === '') {
    console.error(`Cannot get Node ${version} from the registry:\n${output}`);
    failed += 1;
    continue;
  }
  console.log(`Node ${version}: ${binary}`);
  const env = { ...environment, E2E_NODE: binary };
  const result = await run('vitest', ['run', '--project', 'e2e', ...files], { env });
  if (result.code !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;

function split(args) {
  const at = args.indexOf('--');
  const wanted = at === -1 ? args : args.slice(0, at);
  const named = at === -1 ? [] : args.slice(at + 1);
  return [
    wanted.length > 0 ? wanted : ['22', '24'],
    named.length > 0 ? named : ['bad-peers', 'listener'],
  ];
}
