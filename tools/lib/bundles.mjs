// The bundles that are published, each from the TypeScript sources of the parts (@quorate/*):
//
//   Node         dist/index.js, client.js, testing.js, cli.js: third-party packages stay imports
//   bundlers     dist/browser.js: the same for pages; no module of Node anywhere in it
//   import map   dist/quorate.js: everything a page needs, minified; beside it quorate-secret.js and
//                quorate-relays.js, which pages with a secret and with relays load, and
//                quorate-backup.js, which backups, exports and imports load
import { build } from 'esbuild';
import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { resolve } from 'node:path';
import { readJson, root } from './workspace.mjs';

const home = `${root}/packages/quorate`;
const outdir = `${home}/dist`;
const { dependencies } = readJson('packages/quorate/package.json');

/** By name in dist. */
export const libraries = {
  index: `${home}/src/index.ts`,
  node: `${home}/src/node.ts`,
  client: `${home}/src/client.ts`,
  testing: `${home}/src/testing.ts`,
};
export const browserEntry = `${home}/src/browser.ts`;

/** What must not be loaded before it is wanted, neither by a server that renders nor by a page. */
const lazyInNode = /^(libp2p|@libp2p|@multiformats)(\/|$)/;
const lazyInPages = /^(libp2p|@libp2p|@multiformats|@noble\/curves|@noble\/ciphers\/aes\.js)(\/|$)/;

const common = {
  bundle: true,
  format: 'esm',
  metafile: true,
  write: false,
  logLevel: 'warning',
};

/** Writes nothing, like its neighbours: files come back with their places in dist. */
export async function bundleForNode() {
  const { metafile, outputFiles } = await build({
    ...common,
    // The command is one more entry, so that it shares the chunks.
    entryPoints: { ...libraries, cli: `${root}/apps/cli/src/main.ts` },
    outdir,
    splitting: true,
    platform: 'node',
    target: 'node20.19',
    conditions: ['source'],
    external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
    chunkNames: 'chunks/[name]-[hash]',
    sourcemap: true,
    sourcesContent: false,
  });
  refuseStrangers(metafile, new Set(builtinModules.flatMap((name) => [name, `node:${name}`])));
  refuseEarly(metafile, 'index.js', lazyInNode);
  return { files: outputFiles, metafile };
}

/** For bundlers, and for runtimes that are neither Node nor a page: there its handles are inert. */
export async function bundleForBundlers() {
  const { metafile, outputFiles } = await build({
    ...common,
    ...pages,
    entryPoints: { browser: browserEntry },
    outdir,
    splitting: true,
    chunkNames: 'chunks/browser-[name]-[hash]',
    sourcemap: true,
    sourcesContent: false,
    plugins: [dependenciesStayImports],
  });
  refuseStrangers(metafile, new Set());
  refuseEarly(metafile, 'browser.js', lazyInPages);
  return { files: outputFiles, metafile };
}

/** For an import map: what every page needs in one file, and what some load in files beside it. */
export async function bundleStandalone() {
  const shared = { ...common, ...pages, minify: true };
  const main = await build({
    ...shared,
    entryPoints: { quorate: browserEntry },
    outdir,
    sourcemap: 'linked',
    plugins: [asidesStayAside],
  });
  for (const name of bundledPackages(main.metafile)) {
    if (lazyInPages.test(name)) {
      throw new Error(`Cannot build quorate.js: ${name} bundled, wanted loaded when it is needed`);
    }
  }
  const bundles = [main];
  for (const [path, file] of Object.entries(asides)) {
    const entryPoints = { [file]: resolvePart(path) };
    bundles.push(await build({ ...shared, entryPoints, outdir }));
  }
  for (const { metafile } of bundles) refuseImports(metafile);
  return {
    files: bundles.flatMap(({ outputFiles }) => outputFiles),
    metafile: { outputs: Object.assign({}, ...bundles.map(({ metafile }) => metafile.outputs)) },
    licences: licencesOf(bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))),
  };
}

/**
 * The program that opens the README, as a bundler puts it into a page: minified, without what is
 * loaded only when it is called for. Resolves with its bytes and esbuild's account of them.
 */
export async function bundleProgram() {
  const { outputFiles, metafile } = await build({
    ...common,
    ...pages,
    stdin: {
      contents: `export { joinCluster } from '${browserEntry}';`,
      resolveDir: home,
    },
    outdir,
    minify: true,
    plugins: [asidesStayAside],
  });
  return { contents: outputFiles[0].contents, output: Object.values(metafile.outputs)[0] };
}

const pages = {
  platform: 'browser',
  target: 'es2022',
  conditions: ['source', 'browser'],
};

/** Unlike the option `external`: what is imported and not used leaves no import behind. */
const dependenciesStayImports = {
  name: 'dependencies stay imports',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path }) =>
      dependencies[packageOf(path)] === undefined
        ? undefined
        : { path, external: true, sideEffects: false },
    );
  },
};

/** What a page loads only when it is called for, and the file beside quorate.js that holds it. */
const asides = {
  '@quorate/crypto': 'quorate-secret',
  '@quorate/kv/backup': 'quorate-backup',
  './relays.ts': 'quorate-relays',
};

const asidesStayAside = {
  name: 'asides stay aside',
  setup({ onResolve }) {
    onResolve({ filter: /^(@quorate\/|\.\/relays\.ts)/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && asides[path] !== undefined
        ? { path: `./${asides[path]}.js`, external: true }
        : undefined,
    );
  },
};

// Checks -------------------------------------------------------------------------------------------

/** A third-party package that was bundled is one that `quorate` forgot to declare. */
function refuseStrangers({ inputs, outputs }, builtins) {
  const bundled = bundledPackages({ inputs });
  if (bundled.length > 0) {
    throw new Error(
      `Cannot build quorate: ${bundled.join(', ')} bundled, wanted in its dependencies`,
    );
  }
  for (const { imports } of Object.values(outputs)) {
    for (const { path, external } of imports) {
      if (external !== true || builtins.has(path)) continue;
      if (dependencies[packageOf(path)] === undefined) {
        throw new Error(`Cannot build quorate: imports ${path}, wanted in its dependencies`);
      }
    }
  }
}

/** Nothing that matches may be reached from `entry` by static imports alone. */
function refuseEarly({ outputs }, entry, lazy) {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path, external, kind } of outputs[file].imports) {
      if (kind !== 'import-statement') continue;
      if (external !== true) visit(path);
      else if (lazy.test(path)) {
        throw new Error(`Cannot build ${entry}: it imports ${path}, wanted a dynamic import`);
      }
    }
  };
  visit(Object.keys(outputs).find((file) => file.endsWith(`/dist/${entry}`)));
}

function refuseImports({ outputs }) {
  const allowed = new Set(Object.values(asides).map((file) => `./${file}.js`));
  for (const [file, { imports }] of Object.entries(outputs)) {
    for (const { path } of imports) {
      if (allowed.has(path)) continue;
      throw new Error(`Cannot build ${file}: it imports ${path}, wanted nothing left to resolve`);
    }
  }
}

// Licences -----------------------------------------------------------------------------------------

/** The licences of the packages that bundles hold, which travel with them. */
function licencesOf(inputs) {
  const directories = new Map();
  for (const input of inputs) {
    const [, directory, name] = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input) ?? [];
    if (name !== undefined) directories.set(name, resolve(directory));
  }
  const parts = [...directories].sort(byName).map(([name, directory]) => {
    const { version, license } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
    const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? '' : `\n\n${readFileSync(`${directory}/${file}`, 'utf8')}`;
    return `${name} ${version} (${license})${text.trimEnd()}\n`;
  });
  return `quorate.js and its neighbours contain:\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function byName([a], [b]) {
  return a < b ? -1 : 1;
}

export function bundledPackages({ inputs }) {
  const names = Object.keys(inputs).map(
    (input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1],
  );
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** The source of a part, by the name under which others import it. */
function resolvePart(path) {
  // What a page with relays loads is gathered in one module beside the one that wants it.
  if (path.startsWith('./')) return `${root}/packages/join/src/browser/${path.slice(2)}`;
  const [scope, name, ...rest] = path.split('/');
  const { exports } = readJson(`packages/${name}/package.json`);
  const target = exports[rest.length === 0 ? '.' : `./${rest.join('/')}`];
  if (scope !== '@quorate' || target === undefined) throw new Error(`Cannot find ${path}`);
  return `${root}/packages/${name}/${target.source}`;
}

function packageOf(path) {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}
