import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checks } from '../violation.ts';
import { applyEdits, withoutCheck } from './bug.ts';
import type { Bug } from './bug.ts';
import { bugs } from './catalog.ts';

const bug: Bug = {
  id: 'example',
  what: 'an example',
  breaks: 'nothing',
  suite: 'core',
  edits: [{ file: 'a.ts', find: 'one', replace: 'two' }],
};

describe('applyEdits()', () => {
  test('edits its own file and no other', () => {
    expect(applyEdits(bug, 'a.ts', 'one more')).toBe('two more');
    expect(applyEdits(bug, 'b.ts', 'one more')).toBe('one more');
  });

  test('refuses text that is missing or there twice', () => {
    expect(() => applyEdits(bug, 'a.ts', 'zero')).toThrow(/0 times/);
    expect(() => applyEdits(bug, 'a.ts', 'one one')).toThrow(/2 times/);
  });
});

describe('withoutCheck()', () => {
  test.each(checks)('%s can be built out of the sources as they are', (check) => {
    const built = withoutCheck(bug, check);
    const path = fileURLToPath(new URL('../violation.ts', import.meta.url));
    const source = readFileSync(path, 'utf8');
    expect(applyEdits(built, 'simulator/src/violation.ts', source)).toContain(`= ['${check}'];`);
    expect(built.without).toBe(check);
  });
});

describe('bugs', () => {
  test('are at least 25, with ids of their own', () => {
    expect(bugs.length).toBeGreaterThanOrEqual(25);
    expect(new Set(bugs.map(({ id }) => id)).size).toBe(bugs.length);
  });

  test.each(bugs.map((one) => [one.id, one] as const))('%s fits the sources', (_id, one) => {
    for (const file of new Set(one.edits.map((edit) => edit.file))) {
      const path = fileURLToPath(new URL(`../../../${file}`, import.meta.url));
      const source = readFileSync(path, 'utf8');
      expect(applyEdits(one, file, source)).not.toBe(source);
    }
  });
});
