/** The contracts' suites, in the browser where their adapters live. */
import type { Page } from '@playwright/test';
import { listCases, test } from './page.ts';

let shared: Page | null = null;

test.beforeAll(async ({ browser, origin }) => {
  shared = await browser.newPage();
  await shared.goto(origin);
});

test.afterAll(async () => {
  await shared?.close();
});

for (const [position, { suite, name }] of listCases().entries()) {
  test(`${suite}: ${name}`, async () => {
    const failure = await shared?.evaluate(async (at) => {
      try {
        await globalThis.quorate.cases[at]?.run();
        return null;
      } catch (error) {
        return error instanceof Error ? (error.stack ?? error.message) : String(error);
      }
    }, position);
    if (failure !== null) throw new Error(failure ?? 'there is no page');
  });
}
