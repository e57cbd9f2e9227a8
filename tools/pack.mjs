// The package as a user gets it: packed, looked into, installed by npm in an empty directory, imported,
// type-checked, run. Needs `node tools/build.mjs` before. Each line of output is one thing that holds.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { binPath, end, endAllOnSignal, environment, run, start } from './lib/run.mjs';
import { root } from './lib/workspace.mjs';

const home = `${root}/packages/quorate`;
const place = mkdtempSync(`${tmpdir()}/quorate-pack-`);
const windows = process.platform === 'win32';

endAllOnSignal();
try {
  const tarball = await pack();
  inspect();
  await judge(tarball);
  const app = await installInto(tarball);
  await typeCheck(app);
  await runCommand(app);
  await runPrograms(app);
} catch (error) {
  console.error(`pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}

async function pack() {
  await must('pack', binPath('pnpm', 'pnpm'), ['pack', '--pack-destination', place], { cwd: home });
  const name = readdirSync(place).find((file) => file.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', name], { cwd: place });
  return `${place}/${name}`;
}

/** What npm would have to make sense of, without this workspace around it. */
function inspect() {
  const text = readFileSync(`${place}/package/package.json`, 'utf8');
  const manifest = JSON.parse(text);
  const runtime = JSON.stringify([manifest.dependencies, manifest.exports, manifest.bin]);
  assert(!/workspace:|catalog:|@quorate\//.test(runtime), 'depends on published packages alone');
  assert(!/"source"|\.ts"/.test(runtime.replaceAll('.d.ts"', '')), 'exports built files alone');
  assert(!/"private": true/.test(text), 'is not private');
  const files = readdirSync(`${place}/package`, { recursive: true }).map(String);
  for (const file of ['package.json', 'LICENSE', 'README.md', 'bin/quorate.js', 'dist/cli.js']) {
    assert(files.includes(file), `holds ${file}`);
  }
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
    ['install', '--no-audit', '--no-fund', '--no-save', tarball],
    { cwd: app, quiet: true, shell: windows, timeoutMs: 300_000 },
  );
  assert(code === 0, `installs by npm${code === 0 ? '' : `\n${output}`}`);
  return app;
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
