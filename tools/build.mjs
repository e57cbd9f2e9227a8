// Builds what is published: packages/quorate/dist, from the TypeScript sources of every part.
//
//   node tools/build.mjs              JavaScript and declarations
//   node tools/build.mjs --no-types   JavaScript only: enough to run
//
// Parts (@quorate/*) and third-party packages are bundled: what is published depends on nothing.
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
import {
  accountOf,
  bundleForBundlers,
  bundleForNode,
  bundleStandalone,
  libraries,
} from './lib/bundles.mjs';
import { root } from './lib/workspace.mjs';

const home = `${root}/packages/quorate`;
const dist = `${home}/dist`;

await buildScripts();
if (!process.argv.includes('--no-types')) await buildDeclarations();
linkCommand();

/** Everything is bundled before the last build is touched: one that fails leaves it as it was. */
async function buildScripts() {
  const bundles = [await bundleForNode(), await bundleForBundlers(), await bundleStandalone()];
  rmSync(dist, { recursive: true, force: true });
  for (const { files } of bundles) {
    for (const { path, contents } of files) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents);
    }
  }
  const { licences, sbom } = accountOf(bundles.map(({ metafile }) => metafile));
  writeFileSync(`${dist}/licences.txt`, licences);
  writeFileSync(`${dist}/sbom.cdx.json`, sbom);
  for (const { metafile } of bundles) say(metafile);
  // The published page, licence and changes are the repository's own.
  for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md']) {
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
