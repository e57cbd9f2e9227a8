// Builds what is published: packages/quorate/dist, from the TypeScript sources of every part.
//
//   node tools/build.mjs              JavaScript and declarations
//   node tools/build.mjs --no-types   JavaScript only: enough to run
//
// Parts (@quorate/*) are bundled; third-party packages stay imports and must be dependencies of
// `quorate`, because only those are installed with it.
import { build } from 'esbuild';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { readJson, root } from './lib/workspace.mjs';

const home = `${root}/packages/quorate`;
const dist = `${home}/dist`;
const { dependencies = {}, exports: published } = readJson('packages/quorate/package.json');

/** Entry name in dist → source. The command is one more entry, so that it shares the chunks. */
const libraries = Object.fromEntries(
  Object.values(published)
    .filter((target) => typeof target === 'object')
    .map(({ source, default: built }) => [nameOf(built), `${home}/${source}`]),
);
const entries = { ...libraries, cli: `${root}/apps/cli/src/main.ts` };

await buildScripts();
if (!process.argv.includes('--no-types')) await buildDeclarations();
linkCommand();

async function buildScripts() {
  for (const [name, source] of Object.entries(entries)) {
    if (!existsSync(source)) throw new Error(`Cannot build ${name}: ${source} is missing`);
  }
  rmSync(dist, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: entries,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    conditions: ['source'],
    external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
    chunkNames: 'chunks/[name]-[hash]',
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  refuseStrangers(metafile);
  mkdirSync(dist, { recursive: true });
  // The published page and licence are the repository's own.
  for (const file of ['LICENSE', 'README.md']) {
    if (existsSync(`${root}/${file}`)) copyFileSync(`${root}/${file}`, `${home}/${file}`);
  }
  const bytes = Object.values(metafile.outputs)
    .filter((output) => output.entryPoint !== undefined || output.imports !== undefined)
    .reduce((total, output) => total + output.bytes, 0);
  console.log(
    `build: ${Object.keys(entries).join(', ')} (${Math.round(bytes / 1024)} KiB with maps)`,
  );
}

/** A third-party package that was bundled is one that `quorate` forgot to declare. */
function refuseStrangers({ inputs, outputs }) {
  const bundled = Object.keys(inputs).filter((input) => input.includes('node_modules/'));
  if (bundled.length > 0) {
    const names = new Set(
      bundled.map((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)[1]),
    );
    throw new Error(
      `Cannot build quorate: ${[...names].join(', ')} bundled, wanted in its dependencies`,
    );
  }
  const known = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);
  for (const { imports } of Object.values(outputs)) {
    for (const { path, external } of imports) {
      const name = path
        .split('/')
        .slice(0, path.startsWith('@') ? 2 : 1)
        .join('/');
      if (external === true && !known.has(path) && dependencies[name] === undefined) {
        throw new Error(`Cannot build quorate: imports ${path}, wanted in its dependencies`);
      }
    }
  }
}

/** One declaration file per library entry, with the types of every part rolled in. */
async function buildDeclarations() {
  const { rollup } = await import('rollup');
  const { dts } = await import('rollup-plugin-dts');
  const bundle = await rollup({
    input: libraries,
    external: (id) =>
      Object.keys(dependencies).some((name) => id === name || id.startsWith(`${name}/`)),
    plugins: [
      dts({
        tsconfig: `${home}/tsconfig.json`,
        compilerOptions: { noEmit: false, emitDeclarationOnly: true, preserveSymlinks: false },
        respectExternal: true,
      }),
    ],
    onwarn(warning) {
      throw new Error(`Cannot build declarations: ${warning.message}`);
    },
  });
  await bundle.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].d.ts',
    chunkFileNames: 'chunks/[name]-[hash].d.ts',
  });
  await bundle.close();
  console.log(`build: declarations of ${Object.keys(libraries).join(', ')}`);
}

/** Makes `npx quorate` run this build in the workspace. */
function linkCommand() {
  const link = `${root}/node_modules/.bin/quorate`;
  chmodSync(`${home}/bin/quorate.js`, 0o755);
  if (process.platform === 'win32') return;
  rmSync(link, { force: true });
  symlinkSync('../../packages/quorate/bin/quorate.js', link);
}

function nameOf(built) {
  return built.replace(/^\.\/dist\//, '').replace(/\.js$/, '');
}
