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
  Z49: 'holds and sleeping namespaces are not built',
  Z51: 'the outbox is not built',
  Z56: 'rotation is not built',
  Z60: 'holds and sleeping namespaces are not built',
  Z63: 'healing is not built',
  Z64: 'holds and sleeping namespaces are not built',
  Z65: 'lanes are not built',
  Z66: 'learners are fed by the leader alone',
  Z68: 'holds and sleeping namespaces are not built',
  Z69: 'guests are not built',
  Z70: 'guests are not built',
  Z71: 'guests are not built',
  T30: 'tried with the packed package, by tools/pack.mjs',
  T32: 'not built yet',
  T33: 'not built yet',
  T34: 'not built yet',
  T36: 'not built yet',
  T37: 'not built yet',
};

/** The ids that the three pages define: `**Z1 …`, `- E1 …`, and several on one line, `F2 …. F3 …`. */
export function knownIds() {
  const found = new Set();
  for (const file of ['docs/SAFETY.md', 'docs/SCENARIOS.md', 'docs/FAULTS.md']) {
    for (const [, id] of read(file).matchAll(/(?:\*\*|^- |\. )([ZELMSRDCKFBT]\d{1,2})(?=[ *])/gm)) {
      found.add(id);
    }
  }
  return [...found];
}

/** Each id with the files whose tests name it, a file as often as it does. */
export function testsById() {
  const tests = new Map();
  const add = (words, file) => {
    for (const [id] of words.matchAll(/\b[ZELMSRDCKFBT]\d{1,2}\b/g)) {
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
