// The rules of the house that neither the compiler nor the linter knows. Prints each breach as
// `file:line: what is wrong` and exits 1 when there is one.
//
//   node tools/tidy.mjs [path prefix …]    only breaches under these paths
import ts from 'typescript';
import { files, packages, read, readJson } from './lib/workspace.mjs';

const breaches = [];
const parts = packages();
const allFiles = files();
const sourceFiles = allFiles.filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file));

function main() {
  checkSources();
  checkArrowsDeclared();
  checkConformanceLines();
  checkIdsInTests();
  checkWords();
  checkLockfile();
  checkManifests();
  checkFileNames();
  report();
}

/** Everything that needs the syntax tree of a TypeScript file. */
function checkSources() {
  for (const file of sourceFiles) {
    const part = partOf(file);
    if (part === undefined) continue;
    const tree = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2022, true);
    const test = isTest(file);
    const context = { file, part, tree, test };
    checkImports(context);
    checkExports(context);
    checkLength(context);
    visit(tree, (node) => {
      if (!test) checkGlobals(context, node);
      checkOrder(context, node);
      checkSkips(context, node);
    });
  }
}

// Imports ------------------------------------------------------------------------------------------

/** Relative imports end in .ts and stay inside; another part only by name and along an arrow. */
function checkImports({ file, part, tree, test }) {
  const allowed = readJson('turbo.json').boundaries.tags[part.tag]?.dependencies.allow ?? [];
  for (const { specifier, node } of importsOf(tree)) {
    if (specifier.startsWith('.')) {
      if (!/\.(ts|json)$/.test(specifier)) {
        breach(file, tree, node, `Import of ${specifier}, wanted a relative path ending in .ts`);
      }
      const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
      if (!target.startsWith(`${part.directory}/`)) {
        breach(file, tree, node, `Import of ${specifier} leaves ${part.directory}`);
      }
    } else if (specifier === 'quorate' || specifier.startsWith('@quorate/')) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const other = parts.find((candidate) => candidate.manifest.name === name);
      if (other === undefined) {
        breach(file, tree, node, `Import of ${specifier}, which is no part of the workspace`);
      } else if (other !== part && !allowed.includes(other.tag)) {
        breach(file, tree, node, `${part.short} imports ${other.short} against the arrows`);
      }
    } else if (!test && part.short === 'core') {
      breach(file, tree, node, `core imports ${specifier}, wanted no dependency at all`);
    } else if (specifier.startsWith('node:') && !test && isIsomorphic(file)) {
      breach(file, tree, node, `Import of ${specifier} where browsers run`);
    }
  }
}

function importsOf(tree) {
  const found = [];
  visit(tree, (node) => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined
    ) {
      found.push({ specifier: node.moduleSpecifier.text, node });
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] !== undefined &&
      ts.isStringLiteralLike(node.arguments[0])
    ) {
      found.push({ specifier: node.arguments[0].text, node });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ specifier: node.argument.literal.text, node });
    }
  });
  return found;
}

/** A part's manifest depends only along the arrows; `turbo boundaries` checks the same by tags. */
function checkArrowsDeclared() {
  const { tags } = readJson('turbo.json').boundaries;
  for (const part of parts) {
    const file = `${part.directory}/package.json`;
    if (part.tag === undefined || tags[part.tag] === undefined) {
      breaches.push(`${file}:1: No boundaries tag, wanted one in its turbo.json and in the root's`);
      continue;
    }
    const declared = { ...part.manifest.dependencies, ...part.manifest.devDependencies };
    for (const name of Object.keys(declared)) {
      const other = parts.find((candidate) => candidate.manifest.name === name);
      if (other !== undefined && !tags[part.tag].dependencies.allow.includes(other.tag)) {
        breaches.push(`${file}:1: Depends on ${name} against the arrows`);
      }
    }
  }
}

// Exports ------------------------------------------------------------------------------------------

/** No `export *`, and only the entries named in a manifest's exports gather names of other files. */
function checkExports({ file, part, tree, test }) {
  const statements = tree.statements;
  for (const statement of statements) {
    if (ts.isExportDeclaration(statement) && statement.exportClause === undefined) {
      breach(file, tree, statement, 'export *, wanted names one by one');
    }
  }
  if (test || statements.length === 0 || !file.includes('/src/')) return;
  const gathersOnly = statements.every(
    (statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
  );
  if (gathersOnly && !entriesOf(part).has(file)) {
    breach(file, tree, statements[0], 'A barrel, wanted only src/index.ts and named subpaths');
  }
}

function entriesOf(part) {
  const entries = new Set([`${part.directory}/src/index.ts`]);
  for (const target of Object.values(part.manifest.exports ?? {})) {
    const source = typeof target === 'string' ? target : target.source;
    if (source !== undefined) entries.add(`${part.directory}/${source.replace(/^\.\//, '')}`);
  }
  return entries;
}

// Time, chance and surroundings ----------------------------------------------------------------------

const hostGlobals = new Set(['window', 'document', 'process', 'Buffer', 'localStorage', 'require']);
const timeGlobals = new Set(['setTimeout', 'setInterval', 'setImmediate', 'performance', 'Date']);

/** The core is synchronous and pure; core, cluster and kv take time and chance as parameters. */
function checkGlobals({ file, part, tree }, node) {
  if (part.short === 'core') {
    if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) {
      breach(file, tree, node, 'async in core, wanted a synchronous state machine');
    }
    if (isGlobal(node) && ['Promise', 'queueMicrotask', 'console'].includes(node.text)) {
      breach(file, tree, node, `${node.text} in core, wanted a synchronous state machine`);
    }
  }
  if (isDeterministic(file)) {
    if (isGlobal(node) && timeGlobals.has(node.text)) {
      breach(file, tree, node, `${node.text} used, wanted time as a parameter`);
    }
    if (isMember(node, 'Math', 'random') || (isGlobal(node) && node.text === 'crypto')) {
      breach(file, tree, node, 'A random source used, wanted chance as a parameter');
    }
  }
  if (isIsomorphic(file) && isGlobal(node) && hostGlobals.has(node.text)) {
    breach(file, tree, node, `${node.text} used where every runtime must do`);
  }
}

/** Runs in every runtime: no Node, no page. A file or directory named `node` is Node's own. */
function isIsomorphic(file) {
  return /^packages\/(core|cluster|kv|client|crypto)\/src\/(?!node\b)/.test(file);
}

/** Must run on virtual time: conformance suites and clocks are where real time comes in. */
function isDeterministic(file) {
  return (
    /^packages\/(core|cluster|kv)\/src\//.test(file) &&
    !file.startsWith('packages/cluster/src/conf')
  );
}

// A name that stands for a value of the surroundings: no property, no key, no declaration, no type.
function isGlobal(node) {
  if (!ts.isIdentifier(node)) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent)) return false;
  if (ts.isTypeQueryNode(parent)) return false;
  return !('name' in parent && parent.name === node) && !isBoundHere(node);
}

// Parameters and variables may bear the name of a global: then it is not the global.
function isBoundHere(node) {
  for (let scope = node.parent; scope !== undefined; scope = scope.parent) {
    if (ts.isFunctionLike(scope) && scope.parameters.some((p) => binds(p.name, node.text))) {
      return true;
    }
    const statements = ts.isBlock(scope) || ts.isSourceFile(scope) ? scope.statements : [];
    for (const statement of statements) {
      if (ts.isImportDeclaration(statement) && importBinds(statement, node.text)) return true;
      if (ts.isVariableStatement(statement)) {
        const { declarations } = statement.declarationList;
        if (declarations.some((d) => binds(d.name, node.text))) return true;
      }
    }
  }
  return false;
}

function binds(name, text) {
  if (ts.isIdentifier(name)) return name.text === text;
  return name.elements.some((element) => 'name' in element && binds(element.name, text));
}

function importBinds(statement, text) {
  const bindings = statement.importClause?.namedBindings;
  return (
    statement.importClause?.name?.text === text ||
    (bindings !== undefined &&
      ts.isNamedImports(bindings) &&
      bindings.elements.some((element) => element.name.text === text))
  );
}

function isMember(node, object, property) {
  return (
    ts.isPropertyAccessExpression(node) &&
    node.name.text === property &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === object
  );
}

// Order of disk and network --------------------------------------------------------------------------

const turn = 'packages/cluster/src/turn.ts';

/** Only the turn persists, and only the turn sends what Raft says: order lives in one file. */
function checkOrder({ file, tree, test }, node) {
  const driven =
    /^(packages\/(cluster|kv|join|gateway|quorate)|apps\/cli)\/src\//.test(file) &&
    !/^packages\/cluster\/src\/(conformance|memory|contracts)\//.test(file);
  if (!driven || test || file === turn || !ts.isCallExpression(node)) return;
  if (!ts.isPropertyAccessExpression(node.expression)) return;
  const method = node.expression.name.text;
  if (method === 'persist' && !isNavigatorStorage(node.expression.expression)) {
    breach(file, tree, node, 'A call of persist, wanted only in turn.ts');
  }
  const channel = node.arguments[0];
  if (method === 'send' && channel !== undefined && ts.isStringLiteralLike(channel)) {
    if (channel.text === 'raft') {
      breach(file, tree, node, "A call of send('raft', …), wanted only in turn.ts");
    }
  }
}

function isNavigatorStorage(node) {
  return isMember(node, 'navigator', 'storage');
}

// Tests ----------------------------------------------------------------------------------------------

/** A test left alone hides the others; one left out says why in a comment on the line before. */
function checkSkips({ file, tree, test }, node) {
  if (!test || !ts.isPropertyAccessExpression(node) || !isTestName(node.expression)) return;
  const { text } = node.name;
  if (text === 'only') breach(file, tree, node, 'A test left alone (.only)');
  if (text === 'todo') breach(file, tree, node, 'A test without a body (.todo)');
  if (text === 'skip' || text === 'skipIf' || text === 'runIf') {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
    const before = tree.text.split('\n')[line - 1] ?? '';
    if (!/^\s*\/\/ Skipped: \S/.test(before)) {
      breach(file, tree, node, `.${text} without a line before it that says "// Skipped: why"`);
    }
  }
}

function isTestName(node) {
  if (ts.isPropertyAccessExpression(node)) return isTestName(node.expression);
  return ts.isIdentifier(node) && ['test', 'it', 'describe', 'suite'].includes(node.text);
}

const suites = {
  'storage-fs': ['logStorageConformance'],
  'transport-libp2p': ['transportConformance', 'registerConformance', 'rendezvousConformance'],
  crypto: ['cipherConformance'],
  kv: ['stateMachineConformance'],
};

/** Every adapter runs the suite of its contract; so do the memory adapters beside the contracts. */
function checkConformanceLines() {
  const index = 'packages/cluster/src/conformance/index.ts';
  if (!allFiles.includes(index)) return;
  const offered = [...read(index).matchAll(/\b(\w+Conformance)\b/g)].map((match) => match[1]);
  const calls = (directory, suite) =>
    sourceFiles.some(
      (file) =>
        file.startsWith(`${directory}/`) &&
        isTest(file) &&
        new RegExp(`\\b${suite}\\(`).test(read(file)),
    );
  for (const suite of new Set(offered)) {
    const wanting = Object.keys(suites).filter((short) => suites[short].includes(suite));
    const asked = wanting.map((short) => `packages/${short}`);
    for (const directory of asked.length === 0 ? ['packages/cluster'] : asked) {
      if (!calls(directory, suite)) {
        breaches.push(`${directory}/package.json:1: No test calls ${suite}(…)`);
      }
    }
  }
}

/** A rule or a scenario named by a test is one of docs/SAFETY.md or docs/SCENARIOS.md. */
function checkIdsInTests() {
  const known = new Set();
  for (const file of ['docs/SAFETY.md', 'docs/SCENARIOS.md']) {
    for (const [id] of read(file).matchAll(/\b[A-Z]\d{1,2}\b/g)) known.add(id);
  }
  for (const file of sourceFiles.filter(isTest)) {
    const tree = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2022, true);
    visit(tree, (node) => {
      if (!ts.isCallExpression(node) || !isTestName(calleeOf(node))) return;
      const title = node.arguments[0];
      if (title === undefined || !ts.isStringLiteralLike(title)) return;
      for (const [id] of title.text.matchAll(/\b[ZELMSRDCKFB]\d{1,2}\b/g)) {
        if (!known.has(id)) breach(file, tree, title, `${id} is no rule and no scenario`);
      }
    });
  }
}

function calleeOf(call) {
  return ts.isCallExpression(call.expression) ? calleeOf(call.expression) : call.expression;
}

// Words, names, manifests ------------------------------------------------------------------------------

// Assembled, so that this file does not hold what it forbids.
const forbidden = [
  {
    pattern: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`),
    say: 'unfinished work',
  },
  { pattern: new RegExp(`/(work|tmp)/(main|shared|briefs)`), say: "a machine's path" },
  { pattern: new RegExp(`registry\\.npm` + `js\\.org`), say: "a registry's address" },
  { pattern: new RegExp(`debug` + `ger;`), say: 'a breakpoint' },
];
const textFile = /(\.(ts|mjs|js|json|yaml|yml|md|html|css|txt)|^LICENSE|^\.ci\/.*)$/;

function checkWords() {
  for (const file of allFiles) {
    if (!textFile.test(file) || file === 'pnpm-lock.yaml') continue;
    read(file)
      .split('\n')
      .forEach((line, index) => {
        for (const { pattern, say } of forbidden) {
          const match = pattern.exec(line);
          if (match !== null) breaches.push(`${file}:${index + 1}: ${match[0]}: ${say}`);
        }
      });
  }
}

/** An address in the lockfile is where one machine found a package; others may not reach it. */
function checkLockfile() {
  read('pnpm-lock.yaml')
    .split('\n')
    .forEach((line, index) => {
      if (/:\/\/|\bgit@|\btarball:/.test(line)) {
        breaches.push(`pnpm-lock.yaml:${index + 1}: An address: ${line.trim()}`);
      }
    });
}

/** One version per third-party package, named once, in the catalog. */
function checkManifests() {
  for (const file of ['package.json', ...parts.map((part) => `${part.directory}/package.json`)]) {
    const own = readJson(file);
    for (const field of ['dependencies', 'devDependencies', 'peerDependencies']) {
      for (const [name, version] of Object.entries(own[field] ?? {})) {
        const wanted = parts.some((part) => part.manifest.name === name)
          ? 'workspace:*'
          : 'catalog:';
        if (version !== wanted) breaches.push(`${file}:1: ${name} is ${version}, wanted ${wanted}`);
      }
    }
    if (own.type !== 'module') breaches.push(`${file}:1: type is ${own.type}, wanted module`);
  }
  const core = parts.find((part) => part.short === 'core');
  const coreNeeds = Object.keys(core?.manifest.dependencies ?? {});
  if (coreNeeds.length > 0) {
    breaches.push(`packages/core/package.json:1: core depends on ${coreNeeds.join(', ')}`);
  }
}

function checkFileNames() {
  for (const file of sourceFiles) {
    const name = file.split('/').at(-1);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(name)) {
      breaches.push(`${file}:1: File name ${name}, wanted kebab-case`);
    }
  }
}

const sourceLinesMax = 600;

function checkLength({ file, tree, test }) {
  const lines = tree.text.split('\n').length;
  if (!test && file.includes('/src/') && lines > sourceLinesMax) {
    breaches.push(`${file}:1: ${lines} lines, wanted at most ${sourceLinesMax}: one idea per file`);
  }
}

// Helpers ------------------------------------------------------------------------------------------

function isTest(file) {
  return /\.test\.ts$|\/test\//.test(file) || file.startsWith('e2e/');
}

function partOf(file) {
  return parts.find((part) => file.startsWith(`${part.directory}/`));
}

function visit(node, act) {
  act(node);
  ts.forEachChild(node, (child) => visit(child, act));
}

function breach(file, tree, node, text) {
  const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
  breaches.push(`${file}:${line + 1}: ${text}`);
}

function report() {
  const prefixes = process.argv.slice(2);
  const shown = breaches.filter(
    (text) => prefixes.length === 0 || prefixes.some((prefix) => text.startsWith(prefix)),
  );
  for (const text of shown) console.log(text);
  console.log(
    shown.length === 0
      ? `tidy: ${sourceFiles.length} source files, nothing to complain about`
      : `tidy: ${shown.length} breaches`,
  );
  process.exitCode = shown.length === 0 ? 0 : 1;
}

main();
