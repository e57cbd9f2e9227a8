// Which rules and scenarios have a test that carries their id. A table to read, not a check: what is
// not built yet has no test yet.
//
//   node tools/ids.mjs            a line per id: how many tests name it, and in which files
//   node tools/ids.mjs --missing  only those without one
import ts from 'typescript';
import { files, read } from './lib/workspace.mjs';
import { isTest } from './tidy/source.mjs';

const tests = new Map();
for (const file of files().filter((name) => name.endsWith('.ts'))) {
  if (!isTest(file) && !file.includes('/conformance/')) continue;
  for (const words of sentencesOf(file)) {
    for (const [id] of words.matchAll(/\b[ZELMSRDCKFB]\d{1,2}\b/g)) {
      tests.set(id, [...(tests.get(id) ?? []), file]);
    }
  }
}

// The title of a transcript is its first line.
for (const file of files().filter((name) => /\/testdata\/[^/]*\.txt$/.test(name))) {
  const [title = ''] = read(file).split('\n');
  for (const [id] of title.matchAll(/\b[ZELMSRDCKFB]\d{1,2}\b/g)) {
    tests.set(id, [...(tests.get(id) ?? []), file]);
  }
}

const onlyMissing = process.argv.includes('--missing');
let covered = 0;
const ids = [...known()];
for (const id of ids) {
  const where = tests.get(id) ?? [];
  if (where.length > 0) covered += 1;
  if (onlyMissing && where.length > 0) continue;
  console.log(
    `${id.padEnd(5)}${String(where.length).padStart(3)}  ${[...new Set(where)].join(' ')}`,
  );
}
console.log(`${covered} of ${ids.length} have a test`);

/** The ids that the two pages define: `**Z1 …`, `- E1 …`, and several on one line, `F2 …. F3 …`. */
function known() {
  const found = new Set();
  for (const file of ['docs/SAFETY.md', 'docs/SCENARIOS.md']) {
    for (const [, id] of read(file).matchAll(/(?:\*\*|^- |\. )([ZELMSRDCKFB]\d{1,2})(?= )/gm)) {
      found.add(id);
    }
  }
  return found;
}

/** Every text of more than one word: titles, also those that tables and suites hold as data. */
function sentencesOf(file) {
  const found = [];
  const tree = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2022, true);
  const visit = (node) => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found.filter((text) => text.includes(' '));
}
