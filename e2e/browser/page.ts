/** The page under test, as a spec sees it. */
import { test as base } from '@playwright/test';
import type {
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestType,
} from '@playwright/test';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundleForBrowsers } from './bundle.ts';

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
      const script = bundleForBrowsers();
      const server = createServer((request, response) => {
        const isScript = request.url === '/page.js';
        const type = isScript ? 'text/javascript' : 'text/html';
        response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
        response.end(isScript ? script : html);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    { scope: 'worker' },
  ],
  page: async ({ context, origin }, use) => {
    const page = await context.newPage();
    await page.goto(origin);
    await use(page);
  },
});

const html = '<!doctype html><title>Quorate</title><script src="/page.js"></script>';
