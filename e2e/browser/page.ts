/** The page under test, as a spec sees it. */
import { test as base } from '@playwright/test';
import type {
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestType,
} from '@playwright/test';
import { fileURLToPath } from 'node:url';
import { runHere, servePage } from './bundle.ts';

/** What the page's script offers; a spec reaches it inside `page.evaluate`. */
export type PageApi = {
  readonly cases: readonly {
    readonly suite: string;
    readonly name: string;
    readonly run: () => Promise<void>;
  }[];
  /** A replica in IndexedDB. Failures come back as their codes. */
  readonly storage: {
    readonly acknowledged: number;
    open(
      name: string,
      options?: { readonly create?: boolean; readonly locked?: boolean },
    ): Promise<
      | string
      | { readonly epoch: number; readonly nodeId: string; readonly indexes: readonly number[] }
    >;
    persist(bytes?: number): Promise<string>;
    persistForever(tell: (index: number) => Promise<void>): Promise<void>;
    close(): Promise<void>;
  };
  /** A host that links with every other tab of its topic. */
  readonly tabs: {
    readonly links: readonly { readonly host: string; readonly roundTripMs: number | undefined }[];
    readonly ups: number;
    readonly downs: readonly string[];
    readonly received: number;
    start(topic: string, timing?: { readonly goneAfterMs: number }): Promise<string>;
    send(count: number, bytes: number): Promise<void>;
    closeOnPagehide(): void;
  };
};

declare global {
  var quorate: PageApi;
}

/** Tests with a page of ours open in `page`, and more of them at `origin`. */
export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & { readonly origin: string }
> = base.extend<object, { readonly origin: string }>({
  origin: [
    // Playwright reads from the parameter which fixtures this one needs: none.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const { origin, close } = await servePage(entry);
      await use(origin);
      await close();
    },
    { scope: 'worker' },
  ],
  page: async ({ context, origin }, use) => {
    const page = await context.newPage();
    await page.goto(origin);
    await use(page);
  },
});

/** The cases that the page will have, by suite and name; none of them is run. */
export function listCases(): readonly { readonly suite: string; readonly name: string }[] {
  runHere(entry);
  return globalThis.quorate.cases.map(({ suite, name }) => ({ suite, name }));
}

const entry = {
  home: fileURLToPath(new URL('../../packages', import.meta.url)),
  code: `
import { registerSuite as storage, storagePage } from './storage-indexeddb/test/browser-suite.ts';
import { registerSuite as tabs, tabsPage } from './transport-tabs/test/browser-suite.ts';

const cases = [];
for (const [suite, register] of Object.entries({ 'storage-indexeddb': storage, 'transport-tabs': tabs })) {
  register((name, run) => cases.push({ suite, name, run }));
}
globalThis.quorate = { cases, storage: storagePage, tabs: tabsPage };
`,
};
