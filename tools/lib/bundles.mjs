// The bundles that are published, each from the TypeScript sources of the parts (@quorate/*):
//
//   Node         dist/index.js, client.js, testing.js, cli.js
//   bundlers     dist/browser.js: the same for pages; no module of Node anywhere in it
//   import map   dist/quorate.js: everything a page needs, minified; beside it quorate-secret.js and
//                quorate-relays.js, which pages with a secret and with relays load, and
//                quorate-backup.js, which backups, exports and imports load
//
// Third-party packages are inside of all of them: who installs `quorate` installs nothing else, and
// what an engine has to be is said by one manifest. Their licences, and the list of them as CycloneDX
// wants it, lie beside the bundles.
import { build } from 'esbuild';
import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { resolve } from 'node:path';
import { readJson, root } from './workspace.mjs';

const home = `${root}/packages/quorate`;
const outdir = `${home}/dist`;
/** By name in dist. */
export const libraries = {
  index: `${home}/src/index.ts`,
  node: `${home}/src/node.ts`,
  client: `${home}/src/client.ts`,
  testing: `${home}/src/testing.ts`,
};
export const browserEntry = `${home}/src/browser.ts`;

/** What must not be loaded before it is wanted, neither by a server that renders nor by a page. */
const lazyInNode = /^(libp2p|@libp2p\/.*|@multiformats\/.*)$/;
const lazyInPages = /^(libp2p|@libp2p\/.*|@multiformats\/.*|@noble\/curves)$/;
/** Packages in CommonJS ask for modules of Node by `require`, which modules do not have. */
const requireInNode =
  "import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url);";

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
    banner: { js: requireInNode },
    // Asked for in vain by `ws`, which does without.
    external: optional,
    chunkNames: 'chunks/[name]-[hash]',
  });
  const builtins = builtinModules.flatMap((name) => [name, `node:${name}`]);
  refuseImports(metafile, new Set([...builtins, ...optional]));
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
    // Bundlers name what they make of a chunk after it.
    chunkNames: 'chunks/quorate-[name]-[hash]',
    plugins: [secretByName],
  });
  refuseImports(metafile, new Set());
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
  const beside = new Set(Object.values(asides).map((file) => `./${file}.js`));
  for (const { metafile } of bundles) refuseImports(metafile, beside);
  return {
    files: bundles.flatMap(({ outputFiles }) => outputFiles),
    metafile: {
      inputs: Object.assign({}, ...bundles.map(({ metafile }) => metafile.inputs)),
      outputs: Object.assign({}, ...bundles.map(({ metafile }) => metafile.outputs)),
    },
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

const optional = ['bufferutil', 'utf-8-validate'];

const pages = {
  platform: 'browser',
  target: 'es2022',
  conditions: ['source', 'browser'],
};

/** What a page loads only when it is called for, and the file beside quorate.js that holds it. */
const asides = {
  '@quorate/crypto': 'quorate-secret',
  '@quorate/kv/backup': 'quorate-backup',
  './relays.ts': 'quorate-relays',
};

/** A chunk is called after the file that is imported, and that would be `src`. */
const secretByName = {
  name: 'secret by name',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@quorate\/crypto$/ }, ({ path, kind, resolveDir }) =>
      kind === 'dynamic-import'
        ? { path: 'secret', namespace: 'aside', pluginData: { path, resolveDir } }
        : undefined,
    );
    onLoad({ filter: /^/, namespace: 'aside' }, ({ pluginData: { path, resolveDir } }) => ({
      contents: `export * from '${path}';`,
      resolveDir,
    }));
  },
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

/** Nothing that matches may be reached from `entry` by static imports alone. */
function refuseEarly({ outputs }, entry, lazy) {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const { imports, inputs } = outputs[file];
    const early = bundledPackages({ inputs }).filter((name) => lazy.test(name));
    if (early.length > 0) {
      throw new Error(`Cannot build ${entry}: it loads ${early.join(', ')}, wanted when needed`);
    }
    for (const { path, external, kind } of imports) {
      if (kind === 'import-statement' && external !== true) visit(path);
    }
  };
  visit(Object.keys(outputs).find((file) => file.endsWith(`/dist/${entry}`)));
}

/** What is published needs nothing but itself and what is `allowed`. */
function refuseImports({ outputs }, allowed) {
  for (const [file, { imports }] of Object.entries(outputs)) {
    for (const { path, external } of imports) {
      if (external !== true || allowed.has(path)) continue;
      throw new Error(`Cannot build ${file}: it imports ${path}, wanted nothing left to resolve`);
    }
  }
}

// Licences -----------------------------------------------------------------------------------------

/**
 * Of the packages that bundles hold: their licences, which travel with them, and a list of them
 * (CycloneDX 1.5).
 */
export function accountOf(metafiles) {
  const directories = new Map();
  for (const input of metafiles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const [, directory] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (directory === undefined) continue;
    const manifest = JSON.parse(readFileSync(`${resolve(directory)}/package.json`, 'utf8'));
    directories.set(`${manifest.name}@${manifest.version}`, { directory, manifest });
  }
  const packages = [...directories].sort(byName).map(([, one]) => one);
  return { licences: licencesOf(packages), sbom: sbomOf(packages) };
}

function licencesOf(packages) {
  const parts = packages.map(({ directory, manifest }) => {
    const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? '' : `\n\n${readFileSync(`${directory}/${file}`, 'utf8')}`;
    return `${manifest.name} ${manifest.version} (${manifest.license})${text.trimEnd()}\n`;
  });
  return `The files of this directory contain:\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function sbomOf(packages) {
  const components = packages.map(({ manifest: { name, version, license } }) => ({
    type: 'library',
    name,
    version,
    licenses: [/ (OR|AND) /.test(license) ? { expression: license } : { license: { id: license } }],
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  }));
  const head = { bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 };
  return `${JSON.stringify({ ...head, components }, null, 2)}\n`;
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
