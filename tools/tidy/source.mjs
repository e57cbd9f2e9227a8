// What one TypeScript file is checked for. Pure: text in, breaches out.
import ts from 'typescript';
import { checkGlobals, isIsomorphic, isMember } from './globals.mjs';
import { importsOf, visit } from './imports.mjs';

/**
 * The breaches of one file, as `file:line: what is wrong`. `parts` are the packages of the
 * workspace, `arrows` maps a part's tag to the tags it may import.
 */
export function checkSource({ file, text, parts, arrows }) {
  const part = parts.find((candidate) => file.startsWith(`${candidate.directory}/`));
  if (part === undefined) return [];
  const breaches = [];
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const breach = (node, what) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    breaches.push(`${file}:${line + 1}: ${what}`);
  };
  const context = { file, part, parts, arrows, tree, breach, test: isTest(file) };
  checkImports(context);
  checkWings(context);
  checkExports(context);
  checkLength(context);
  visit(tree, (node) => {
    if (!context.test) checkGlobals(context, node);
    checkOrder(context, node);
    checkSkips(context, node);
  });
  return breaches;
}

/** Titles of tests and suites that are written as plain strings. */
export function titlesOf(file, text) {
  const titles = [];
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  visit(tree, (node) => {
    if (!ts.isCallExpression(node) || !isTestName(calleeOf(node))) return;
    const [title] = node.arguments;
    if (title === undefined || !ts.isStringLiteralLike(title)) return;
    const { line } = tree.getLineAndCharacterOfPosition(title.getStart(tree));
    titles.push({ line: line + 1, title: title.text });
  });
  return titles;
}

export function isTest(file) {
  return /\.test\.ts$|\/test\//.test(file) || file.startsWith('e2e/');
}

// Imports ------------------------------------------------------------------------------------------

/** Relative imports end in .ts and stay inside; another part only by name and along an arrow. */
function checkImports({ file, part, parts, arrows, tree, test, breach }) {
  const allowed = arrows[part.tag] ?? [];
  for (const { specifier, node } of importsOf(tree)) {
    if (specifier.startsWith('.')) {
      if (!/\.(ts|json)$/.test(specifier)) {
        breach(node, `Import of ${specifier}, wanted a relative path ending in .ts`);
      }
      const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
      if (!target.startsWith(`${part.directory}/`)) {
        breach(node, `Import of ${specifier} leaves ${part.directory}`);
      }
    } else if (specifier === 'quorate' || specifier.startsWith('@quorate/')) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const other = parts.find((candidate) => candidate.manifest.name === name);
      if (other === undefined) {
        breach(node, `Import of ${specifier}, which is no part of the workspace`);
      } else if (other !== part && !allowed.includes(other.tag)) {
        breach(node, `${part.short} imports ${other.short} against the arrows`);
      }
    } else if (!test && part.short === 'core') {
      breach(node, `core imports ${specifier}, wanted no dependency at all`);
    } else if (specifier.startsWith('node:') && !test && isIsomorphic(file)) {
      breach(node, `Import of ${specifier} where browsers run`);
    }
  }
}

// Wings of the member ---------------------------------------------------------------------------------

/** What each wing of `cluster` may import of the others; the arrows run one way. */
const wings = {
  member: ['replica', 'formation', 'membership', 'links', 'state'],
  replica: ['membership', 'links', 'state'],
  formation: ['membership', 'links', 'state'],
  membership: ['links', 'state'],
  links: [],
  state: [],
};

function checkWings({ file, tree, test, breach }) {
  const wing = wingOf(file);
  if (test || wing === undefined) return;
  for (const { specifier, node } of importsOf(tree)) {
    const other = wingOf(new URL(specifier, `file:///${file}`).pathname.slice(1));
    if (!specifier.startsWith('.') || other === undefined || other === wing) continue;
    if (!wings[wing].includes(other)) breach(node, `${wing} imports ${other} against the arrows`);
  }
}

function wingOf(file) {
  return /^packages\/cluster\/src\/([a-z]+)\//.exec(file)?.[1];
}

// Exports ------------------------------------------------------------------------------------------

/** No `export *`, and only the entries named in a manifest's exports gather names of other files. */
function checkExports({ file, part, tree, test, breach }) {
  const statements = tree.statements;
  for (const statement of statements) {
    if (ts.isExportDeclaration(statement) && statement.exportClause === undefined) {
      breach(statement, 'export *, wanted names one by one');
    }
  }
  if (test || statements.length === 0 || !file.includes('/src/')) return;
  const gathersOnly = statements.every(
    (statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
  );
  if (gathersOnly && !entriesOf(part).has(file)) {
    breach(statements[0], 'A barrel, wanted only src/index.ts and named subpaths');
  }
}

function entriesOf(part) {
  const entries = new Set([`${part.directory}/src/index.ts`]);
  for (const target of Object.values(part.manifest.exports ?? {})) {
    const source = typeof target === 'string' ? target : (target.source ?? []);
    // By further conditions, where pages get another one.
    for (const path of typeof source === 'string' ? [source] : Object.values(source)) {
      entries.add(`${part.directory}/${path.replace(/^\.\//, '')}`);
    }
  }
  return entries;
}

// Order of disk and network --------------------------------------------------------------------------

const turn = 'packages/cluster/src/replica/turn.ts';
const host = 'packages/cluster/src/links/host.ts';

/**
 * Order lives in one file: only the turn persists and only the turn posts what Raft says. What was
 * posted leaves in one place, too.
 */
function checkOrder({ file, test, breach }, node) {
  const driven = /^(packages\/(cluster|kv|join|gateway|quorate)|apps\/cli)\/src\//.test(file);
  if (!driven || test || !ts.isCallExpression(node)) return;
  if (!ts.isPropertyAccessExpression(node.expression)) return;
  const method = node.expression.name.text;
  const inCluster = file.startsWith('packages/cluster/');
  if (method === 'persist' && file !== turn && !isNavigatorStorage(node.expression.expression)) {
    breach(node, 'A call of persist, wanted only in turn.ts');
  }
  if (method === 'post' && inCluster && file !== turn) {
    breach(node, 'A call of post, wanted only in turn.ts');
  }
  const [channel] = node.arguments;
  const raft = channel !== undefined && ts.isStringLiteralLike(channel) && channel.text === 'raft';
  if (method === 'send' && raft && file !== host) {
    breach(node, "A call of send('raft', …), wanted only in host.ts");
  }
}

function isNavigatorStorage(node) {
  return isMember(node, 'navigator', 'storage');
}

// Tests and size ----------------------------------------------------------------------------------

/** A test left alone hides the others; one left out says why in a comment on the line before. */
function checkSkips({ tree, test, breach }, node) {
  if (!test || !ts.isPropertyAccessExpression(node) || !isTestName(node.expression)) return;
  const { text } = node.name;
  if (text === 'only') breach(node, 'A test left alone (.only)');
  if (text === 'todo') breach(node, 'A test without a body (.todo)');
  if (text === 'skip' || text === 'skipIf' || text === 'runIf') {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
    const before = tree.text.split('\n')[line - 1] ?? '';
    if (!/^\s*\/\/ Skipped: \S/.test(before)) {
      breach(node, `.${text} without a line before it that says "// Skipped: why"`);
    }
  }
}

function isTestName(node) {
  if (ts.isPropertyAccessExpression(node)) return isTestName(node.expression);
  return ts.isIdentifier(node) && ['test', 'it', 'describe', 'suite'].includes(node.text);
}

const sourceLinesMax = 700;
/** Files that are to be split: their caps only ever fall. */
const sourceLinesMaxOf = {
  'packages/cluster/src/member/member.ts': 800,
  'packages/cluster/src/replica/replica.ts': 740,
};

function checkLength({ file, tree, test, breach }) {
  const lines = tree.text.split('\n').length;
  const most = sourceLinesMaxOf[file] ?? sourceLinesMax;
  if (!test && file.includes('/src/') && lines > most) {
    breach(tree, `${lines} lines, wanted at most ${most}: one idea per file`);
  }
}

// Helpers ------------------------------------------------------------------------------------------

function calleeOf(call) {
  return ts.isCallExpression(call.expression) ? calleeOf(call.expression) : call.expression;
}
