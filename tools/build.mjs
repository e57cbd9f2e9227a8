// Builds what is published: packages/quorate/dist, from the TypeScript sources of every part.
//
//   node tools/build.mjs              JavaScript and declarations
//   node tools/build.mjs --no-types   JavaScript only: enough to run
//
// Parts (@quorate/*) are bundled; third-party packages stay imports and must be dependencies of
// `quorate`, because only those are installed with it. What an import map names has them inside.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { bundleForBundlers, bundleForNode, bundleStandalone, libraries } from './lib/bundles.mjs';
import { readJson, root } from './lib/workspace.mjs';

const home = `${root}/packages/quorate`;
const dist = `${home}/dist`;
const { dependencies } = readJson('packages/quorate/package.json');

await buildScripts();
if (!process.argv.includes('--no-types')) await buildDeclarations();
linkCommand();

/** Everything is bundled before the last build is touched: one that fails leaves it as it was. */
async function buildScripts() {
  const bundles = [await bundleForNode(), await bundleForBundlers(), await bundleStandalone()];
  rmSync(dist, { recursive: true, force: true });
  for (const { files, licences } of bundles) {
    for (const { path, contents } of files) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents);
    }
    if (licences !== undefined) writeFileSync(`${dist}/quorate.js.licences.txt`, licences);
  }
  for (const { metafile } of bundles) say(metafile);
  // The published page and licence are the repository's own.
  for (const file of ['LICENSE', 'README.md']) {
    if (existsSync(`${root}/${file}`)) copyFileSync(`${root}/${file}`, `${home}/${file}`);
  }
}

function say({ outputs }) {
  const scripts = Object.entries(outputs).filter(([file]) => file.endsWith('.js'));
  const entries = scripts.filter(([file]) => !file.includes('/chunks/'));
  const names = entries.map(([file]) => file.split('/').at(-1)).join(', ');
  const bytes = scripts.reduce((total, [, output]) => total + output.bytes, 0);
  console.log(`build: ${names} (${Math.round(bytes / 1000)} kB)`);
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
    // For `AsyncDisposable`, wherever the compiler was told of an older library.
    banner: '/// <reference lib="esnext.disposable" />',
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
