// The package as a user gets it: packed, looked into, installed by npm in an empty directory, imported,
// type-checked, run. Needs `node tools/build.mjs` before. Each line of output is one thing that holds.
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { packInto } from './lib/package.mjs';
import { binPath, end, endAllOnSignal, environment, run, start } from './lib/run.mjs';
import { root } from './lib/workspace.mjs';

const place = mkdtempSync(`${tmpdir()}/quorate-pack-`);
const windows = process.platform === 'win32';
const bytesMax = 8e6;
const expectedFiles = [
  'package.json',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'bin/quorate.js',
  'dist/cli.js',
  'dist/quorate.js',
  'dist/quorate-secret.js',
  'dist/quorate-relays.js',
  'dist/quorate-backup.js',
  'dist/licences.txt',
  'dist/sbom.cdx.json',
];

endAllOnSignal();
try {
  const tarball = await packInto(place);
  inspect();
  await judge(tarball);
  const app = await installInto(tarball);
  await installWithOthers(tarball);
  await typeCheck(app);
  await runCommand(app);
  await resolveConditions(app);
  await renderOnServer(app);
  await liveElsewhere(app);
  await runPrograms(app);
  await runTests(app);
} catch (error) {
  console.error(`pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}

/** What npm would have to make sense of, without this workspace around it. */
function inspect() {
  const text = readFileSync(`${place}/package/package.json`, 'utf8');
  const manifest = JSON.parse(text);
  assert(!/ependencies|workspace:|catalog:|@quorate\//.test(text), 'depends on nothing');
  const runtime = JSON.stringify([manifest.exports, manifest.bin]);
  assert(!/"source"|\.ts"/.test(runtime.replaceAll('.d.ts"', '')), 'exports built files alone');
  assert(!/"private": true/.test(text), 'is not private');
  const files = readdirSync(`${place}/package`, { recursive: true }).map(String);
  for (const file of expectedFiles) assert(files.includes(file), `holds ${file}`);
  const bytes = files.reduce((sum, file) => sum + statSync(`${place}/package/${file}`).size, 0);
  assert(
    bytes <= bytesMax,
    `weighs ${(bytes / 1e6).toFixed(1)} MB, wanted at most ${bytesMax / 1e6}`,
  );
  const { components } = JSON.parse(readFileSync(`${place}/package/dist/sbom.cdx.json`, 'utf8'));
  const licences = readFileSync(`${place}/package/dist/licences.txt`, 'utf8');
  const named = components.every(({ name, version }) => licences.includes(`${name} ${version} (`));
  assert(components.length > 10 && named, `names the ${components.length} packages inside of it`);
  assert(
    !files.some((file) => /\.test\.|(^|[\\/])src[\\/]/.test(file)),
    'holds no test, no source',
  );
}

/** The published opinions on whether every runtime and resolver finds code and types. */
async function judge(tarball) {
  await must('publint', binPath('publint', 'publint'), [tarball, '--strict']);
  await must('attw', binPath('@arethetypeswrong/cli', 'attw'), [
    tarball,
    ...['--profile', 'esm-only', '--no-emoji', '--format', 'ascii', '--no-color'],
  ]);
  console.log('pack: publint and arethetypeswrong have nothing to say');
}

async function installInto(tarball) {
  const app = `${place}/app`;
  mkdirSync(app);
  writeFileSync(
    `${app}/package.json`,
    JSON.stringify({ name: 'app', private: true, type: 'module' }),
  );
  const { code, output } = await run(
    windows ? 'npm.cmd' : 'npm',
    ['install', '--no-audit', '--no-fund', '--no-save', '--engine-strict', tarball],
    { cwd: app, quiet: true, shell: windows, timeoutMs: 300_000 },
  );
  const isQuiet = code === 0 && !/warn/i.test(output);
  assert(isQuiet, `installs by npm without a warning${isQuiet ? '' : `\n${output}`}`);
  const installed = readdirSync(`${app}/node_modules`).filter((name) => !name.startsWith('.'));
  assert(installed.join() === 'quorate', 'brings no other package');
  return app;
}

/** As npm's users are not the only ones. */
async function installWithOthers(tarball) {
  const clients = {
    'yarn@1.22.22': ['add', '--no-lockfile', '--non-interactive', `file:${tarball}`],
    'pnpm@10.33.0': ['add', tarball],
  };
  for (const [client, args] of Object.entries(clients)) {
    const app = mkdtempSync(`${place}/other-`);
    writeFileSync(
      `${app}/package.json`,
      JSON.stringify({ name: 'app', version: '1.0.0', license: 'MIT', private: true }),
    );
    const { code, output } = await run(windows ? 'npx.cmd' : 'npx', ['--yes', client, ...args], {
      cwd: app,
      quiet: true,
      shell: windows,
      timeoutMs: 300_000,
    });
    const isQuiet = code === 0 && !/warn/i.test(output.replaceAll(/No license field/g, ''));
    assert(isQuiet, `installs by ${client} without a warning${isQuiet ? '' : `\n${output}`}`);
    const { joinCluster } = await import(
      pathToFileURL(`${app}/node_modules/quorate/dist/index.js`).href
    );
    assert(typeof joinCluster === 'function', `is there after ${client}`);
  }
}

/** A TypeScript user, with the compiler's strictest settings and without skipLibCheck for ours. */
async function typeCheck(app) {
  writeFileSync(
    `${app}/use.ts`,
    "import { joinCluster } from 'quorate';\n" +
      "export const cluster = joinCluster({ namespace: 'types', storage: 'memory' });\n" +
      'export const phase: string = cluster.status.phase;\n',
  );
  await must('tsc', binPath('typescript', 'tsc'), [
    `${app}/use.ts`,
    ...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'],
    ...['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom,esnext.disposable'],
    ...['--types', 'node', '--typeRoots', `${root}/node_modules/@types`],
  ]);
  console.log('pack: its types serve a strict user');
}

async function runCommand(app) {
  const command = `${app}/node_modules/quorate/bin/quorate.js`;
  await must('quorate --help', command, ['--help'], { cwd: app });
  const { output } = await must('secret', command, ['secret', 'generate', '--json'], { cwd: app });
  assert(typeof JSON.parse(output).secret === 'string', 'its command runs');
}

/** Each kind of runtime and bundler gets its file; all of them are one module by their names. */
async function resolveConditions(app) {
  const wanted = {
    node: 'index.js',
    'browser,import': 'browser.js',
    'webpack,browser,module,import': 'browser.js',
    'workerd,worker,browser': 'browser.js',
    'edge-light,worker,import': 'browser.js',
  };
  const { exports } = JSON.parse(readFileSync(`${place}/package/package.json`, 'utf8'));
  for (const [conditions, file] of Object.entries(wanted)) {
    const found = resolveEntry(exports['.'], new Set([...conditions.split(','), 'default']));
    assert(found === `./dist/${file}`, `gives ${file} to ${conditions}`);
  }
  const names = async (file) =>
    Object.keys(await import(pathToFileURL(`${app}/node_modules/quorate/dist/${file}`).href))
      .sort()
      .join(' ');
  const inNode = await names('index.js');
  for (const file of ['browser.js', 'quorate.js']) {
    assert((await names(file)) === inNode, `exports the same names from ${file} as in Node`);
  }
}

/** The first condition that holds, in the order of the manifest: what every resolver does. */
function resolveEntry(target, conditions) {
  if (typeof target === 'string') return target;
  for (const [condition, next] of Object.entries(target)) {
    if (conditions.has(condition)) return resolveEntry(next, conditions);
  }
  return undefined;
}

/** A server that renders a page starts no member, and may end whenever it likes. */
async function renderOnServer(app) {
  for (const file of ['index.js', 'browser.js', 'quorate.js']) {
    writeFileSync(`${app}/render.mjs`, renderProgram(`./node_modules/quorate/dist/${file}`));
    const { code, output } = await run(process.execPath, [`${app}/render.mjs`], {
      cwd: app,
      quiet: true,
      timeoutMs: 30_000,
    });
    assert(code === 0, `renders on a server by ${file}${code === 0 ? '' : `\n${output}`}`);
  }
}

/** It ends by itself: an open handle would keep it until it is late. */
function renderProgram(file) {
  return `
    import { joinCluster } from '${file}';
    const cluster = joinCluster({ namespace: 'rendered' });
    const { phase, canWrite } = cluster.status;
    const { value } = cluster.counter('clicks');
    if (phase !== 'server' || canWrite || value !== 0) throw new Error(phase);
    const { code } = await cluster.kv.put('key', 1).catch((error) => error);
    if (code !== 'SERVER') throw new Error(code);
  `;
}

/**
 * A runtime that is neither Node nor a page, such as a worker at an edge: standard globals, nothing
 * else. There the module loads and its handles are inert.
 */
async function liveElsewhere(app) {
  const file = `${app}/node_modules/quorate/dist/quorate.js`;
  writeFileSync(
    `${app}/elsewhere.mjs`,
    `
    import { readFileSync } from 'node:fs';
    import { createContext, SourceTextModule } from 'node:vm';
    const names = ['TextEncoder', 'TextDecoder', 'performance', 'crypto', 'queueMicrotask',
      'setTimeout', 'clearTimeout', 'AbortController', 'AbortSignal', 'URL'];
    const context = createContext(Object.fromEntries(names.map((name) => [name, globalThis[name]])));
    const refuse = (name) => { throw new Error('imports ' + name); };
    const module = new SourceTextModule(readFileSync('${file}', 'utf8'), { context });
    await module.link(refuse);
    await module.evaluate();
    const cluster = module.namespace.joinCluster({ namespace: 'elsewhere' });
    if (cluster.status.phase !== 'server') throw new Error(cluster.status.phase);
    `,
  );
  await must('a runtime without Node and pages', '--experimental-vm-modules', [
    '--no-warnings',
    `${app}/elsewhere.mjs`,
  ]);
  console.log('pack: is inert where neither Node nor a page is');
}

/**
 * Runs every program of the README that is marked as runnable, as written, beside a relay of the
 * installed command. A program names its relay `ws://127.0.0.1:7800`: here it gets the real address.
 */
async function runPrograms(app) {
  const programs = programsOf(readFileSync(`${place}/package/README.md`, 'utf8'));
  assert(programs.length > 0, `README holds ${programs.length} programs to run`);
  const relay = await startRelay(app);
  try {
    for (const [index, program] of programs.entries()) {
      const file = `${app}/program-${index + 1}.mjs`;
      writeFileSync(file, program.replaceAll('ws://127.0.0.1:7800', relay.address));
      const { code, output } = await run(process.execPath, [file], {
        cwd: app,
        quiet: true,
        timeoutMs: 60_000,
      });
      assert(code === 0, `README's program ${index + 1} runs${code === 0 ? '' : `\n${output}`}`);
    }
  } finally {
    end(relay.child, 'SIGTERM');
  }
}

/** Runs the tests that the documents give as examples, as written, each by its own test runner. */
async function runTests(app) {
  const blocks = [
    ...readFileSync(`${root}/docs/TESTING.md`, 'utf8').matchAll(/```(ts|js)\n([\s\S]*?)```/g),
  ].filter(([, , code]) => code.includes("from 'quorate/testing'"));
  mkdirSync(`${app}/tests`);
  // The user's own vitest: not what is tried here, so the workspace's serves.
  symlinkSync(`${root}/node_modules/vitest`, `${app}/node_modules/vitest`, 'junction');
  for (const runner of ['vitest', 'node:test']) {
    const mine = blocks.filter(([, , code]) => code.includes(`from '${runner}'`));
    assert(mine.length > 0, `docs hold a test for ${runner}`);
    for (const [index, [, kind, code]] of mine.entries()) {
      const name = `${runner.replace(':', '-')}-${index}.test.${kind === 'ts' ? 'ts' : 'mjs'}`;
      writeFileSync(`${app}/tests/${name}`, code);
      const args =
        runner === 'vitest'
          ? [binPath('vitest', 'vitest'), 'run', '--root', app, `tests/${name}`]
          : ['--test', `${app}/tests/${name}`];
      const { code: exit, output } = await run(process.execPath, args, {
        cwd: app,
        quiet: true,
        timeoutMs: 120_000,
      });
      assert(
        exit === 0,
        `docs' test ${index + 1} for ${runner} passes${exit === 0 ? '' : `\n${output}`}`,
      );
    }
  }
}

/** Code blocks in JavaScript that import quorate on Node, in order. */
function programsOf(markdown) {
  return [...markdown.matchAll(/```(?:js|javascript|mjs)\n([\s\S]*?)```/g)]
    .map((match) => match[1])
    .filter((code) => /from 'quorate'/.test(code) && /dataDir|storage:/.test(code));
}

function startRelay(app) {
  return new Promise((resolve, reject) => {
    const child = start(
      process.execPath,
      [
        `${app}/node_modules/quorate/bin/quorate.js`,
        'relay',
        '--init',
        '--fresh',
        '--json',
        ...['--data', `${place}/relay`],
        ...['--listen', '127.0.0.1:0'],
      ],
      { cwd: app, env: environment, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const line = text.split('\n').find((candidate) => candidate.includes('"listening"'));
      if (line !== undefined) resolve({ child, address: JSON.parse(line).addresses[0] });
    });
    child.on('exit', (code) => reject(new Error(`The relay ended with exit ${code}`)));
  });
}

async function must(name, script, args, options = {}) {
  const result = await run(process.execPath, [script, ...args], {
    quiet: true,
    timeoutMs: 120_000,
    ...options,
  });
  if (result.code !== 0) throw new Error(`${name} failed:\n${result.output}`);
  return result;
}

function assert(condition, what) {
  if (!condition) throw new Error(`not true: ${what}`);
  console.log(`pack: ${what}`);
}
