// How a run is counted: each test is one, each stage that is no test run is one.

/**
 * Counts vitest's JSON report; `report` is undefined when the run died before it wrote one, `code`
 * is the run's exit code.
 */
export function countTests(report, code) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0, tests: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(report);
  // A file that cannot even be loaded has no failed test to count: it counts as one failure itself.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
  ).length;
  const failed = numFailedTests + broken;
  return {
    passed: numPassedTests,
    // An error outside of any test fails the run though every test passed.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: numPendingTests,
    tests: numPassedTests + numFailedTests,
  };
}

/** Counts Playwright's JSON report, in the same way. A test that passed only when run again failed. */
export function countBrowserTests(report, code) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0, tests: 0 };
  const { stats, errors } = JSON.parse(report);
  const failed = stats.unexpected + stats.flaky + errors.length;
  return {
    passed: stats.expected,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: stats.skipped,
    tests: stats.expected + stats.unexpected + stats.flaky,
  };
}

/**
 * A table of stages and, alone on its last line, `N passed, N failed`; with the exit code that
 * follows: 1 when anything failed, or when stages of tests ran not one test.
 */
export function summarise(results) {
  const sum = (field) => results.reduce((total, result) => total + (result[field] ?? 0), 0);
  const lines = [
    '',
    `${'stage'.padEnd(12)}${'passed'.padStart(8)}${'failed'.padStart(8)}${'seconds'.padStart(9)}`,
    ...results.map(
      ({ name, passed, failed, skipped, seconds }) =>
        name.padEnd(12) +
        String(passed).padStart(8) +
        String(failed).padStart(8) +
        seconds.toFixed(1).padStart(9) +
        (failed > 0 ? '  FAILED' : skipped > 0 ? `  ${skipped} skipped` : ''),
    ),
    '',
  ];
  const none = results.some(({ tests }) => tests !== undefined) && sum('tests') === 0;
  if (none) lines.push('No test ran: that is a failure', '');
  const failed = sum('failed') + (none ? 1 : 0);
  lines.push(`${sum('passed')} passed, ${failed} failed`);
  return { text: lines.join('\n'), code: failed > 0 ? 1 : 0 };
}
