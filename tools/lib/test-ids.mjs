// Rules and scenarios, and the tests that carry their ids.
import ts from 'typescript';
import { files, read } from './workspace.mjs';
import { isTest } from '../tidy/source.mjs';

/** Ids without a test, each with the reason. Whatever gets one leaves this list. */
export const later = {
  Z8: 'documented, not defended: SECURITY.md, OPERATIONS.md',
  Z29: 'healing is not built',
  Z30: 'healing is not built',
  Z31: 'recover() is not built',
  F13: 'healing is not built',
  K5: 'leases of keys are not built; sessions expire by Z27',
  K6: 'locks are not built',
};

/** The ids that the two pages define: `**Z1 …`, `- E1 …`, and several on one line, `F2 …. F3 …`. */
export function knownIds() {
  const found = new Set();
  for (const file of ['docs/SAFETY.md', 'docs/SCENARIOS.md']) {
    for (const [, id] of read(file).matchAll(/(?:\*\*|^- |\. )([ZELMSRDCKFB]\d{1,2})(?= )/gm)) {
      found.add(id);
    }
  }
  return [...found];
}

/** Each id with the files whose tests name it, a file as often as it does. */
export function testsById() {
  const tests = new Map();
  const add = (words, file) => {
    for (const [id] of words.matchAll(/\b[ZELMSRDCKFB]\d{1,2}\b/g)) {
      tests.set(id, [...(tests.get(id) ?? []), file]);
    }
  };
  for (const file of files().filter((name) => name.endsWith('.ts'))) {
    if (!isTest(file) && !file.includes('/conformance/')) continue;
    for (const words of sentencesOf(file)) add(words, file);
  }
  // The title of a transcript is its first line.
  for (const file of files().filter((name) => /\/testdata\/[^/]*\.txt$/.test(name))) {
    add(read(file).split('\n')[0] ?? '', file);
  }
  return tests;
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
