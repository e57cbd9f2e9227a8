import { describe, expect, test } from 'vitest';
import { countBrowserTests, countTests, summarise } from './count.mjs';

const report = (over) =>
  JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
    ...over,
  });

describe('countTests()', () => {
  test('counts what passed, failed and was skipped', () => {
    const mixed = report({
      numFailedTests: 2,
      numPendingTests: 1,
      testResults: [{ status: 'failed', assertionResults: [{ status: 'failed' }] }],
    });
    expect(countTests(mixed, 1)).toEqual({ passed: 3, failed: 2, skipped: 1, tests: 5 });
  });

  test('counts a file that cannot be loaded as a failure', () => {
    const broken = report({ testResults: [{ status: 'failed', assertionResults: [] }] });
    expect(countTests(broken, 1).failed).toBe(1);
  });

  test('counts an error outside of every test, and a run that left no report', () => {
    expect(countTests(report({}), 1).failed).toBe(1);
    expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0, tests: 0 });
  });
});

describe('countBrowserTests()', () => {
  const stats = { expected: 5, unexpected: 1, flaky: 1, skipped: 2 };

  test('counts a test that passed only the second time as failed', () => {
    const counts = countBrowserTests(JSON.stringify({ stats, errors: [] }), 1);
    expect(counts).toEqual({ passed: 5, failed: 2, skipped: 2, tests: 7 });
  });

  test('counts errors outside of every test, a bad exit, and a run that left no report', () => {
    const clean = { ...stats, unexpected: 0, flaky: 0 };
    const count = (errors, code) =>
      countBrowserTests(JSON.stringify({ stats: clean, errors }), code).failed;
    expect(count([], 0)).toBe(0);
    expect(count([{ message: 'no such file' }], 1)).toBe(1);
    expect(count([], 1)).toBe(1);
    expect(countBrowserTests(undefined, 1).failed).toBe(1);
  });
});

describe('summarise()', () => {
  const stage = (over) => ({ name: 'a', passed: 1, failed: 0, skipped: 0, seconds: 1, ...over });

  test('ends with the count alone on a line', () => {
    const { text, code } = summarise([stage({}), stage({ passed: 4, tests: 4 })]);
    expect(text.split('\n').at(-1)).toBe('5 passed, 0 failed');
    expect(code).toBe(0);
  });

  test('fails when anything failed, and when no test ran', () => {
    expect(summarise([stage({ failed: 1 })]).code).toBe(1);
    const none = summarise([stage({}), stage({ passed: 0, tests: 0 })]);
    expect(none.code).toBe(1);
    expect(none.text.split('\n').at(-1)).toBe('1 passed, 1 failed');
  });
});
