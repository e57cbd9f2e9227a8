/** The package in pages: as one file for an import map, through a bundler, rendered on a server. */
import { expect } from '@playwright/test';
import type { BrowserContext, Page } from '@playwright/test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build, createServer as createDevServer, preview } from 'vite';
import type { InlineConfig } from 'vite';
import { layFixture, test } from './fixtures/packed.ts';
import type { Packed, StaticFiles } from './fixtures/packed.ts';

/** What a site without any tool serves. */
function siteOf({ directory, program }: Packed, pages: StaticFiles = {}): StaticFiles {
  const file = (name: string): Buffer => readFileSync(join(directory, 'dist', name));
  return {
    '/': program,
    '/quorate.js': file('quorate.js'),
    '/quorate-secret.js': file('quorate-secret.js'),
    ...pages,
  };
}

/** Opens the program in `count` tabs of one browser, once each of them can write. */
async function openTabs(context: BrowserContext, url: string, count: number): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let opened = 0; opened < count; opened += 1) {
    const tab = await context.newPage();
    await tab.goto(url);
    tabs.push(tab);
  }
  for (const tab of tabs) await expect(tab.locator('button')).toBeEnabled({ timeout: 20_000 });
  return tabs;
}

/** Each tab clicks `clicks` times, all tabs at once; then every tab shows the exact sum. */
async function clickInAll(tabs: readonly Page[], clicks: number): Promise<void> {
  await Promise.all(
    tabs.map((tab) =>
      tab.evaluate((count) => {
        const button = document.querySelector('button');
        for (let click = 0; click < count; click += 1) button?.click();
      }, clicks),
    ),
  );
  for (const tab of tabs) {
    await expect(tab.locator('button')).toHaveText(String(tabs.length * clicks), {
      timeout: 20_000,
    });
  }
}

test('B1 the program of the README: five tabs, ten clicks each: exactly 50', async ({
  context,
  packed,
  serve,
}) => {
  const origin = await serve(siteOf(packed));
  const tabs = await openTabs(context, origin, 5);
  await clickInAll(tabs, 10);
  // Whoever comes later, and whoever comes back, sees the same.
  await tabs[0]?.close();
  const [later] = await openTabs(context, origin, 1);
  await expect(later!.locator('button')).toHaveText('50', { timeout: 20_000 });
});

test('the program of the README, served by Vite while one develops', async ({
  context,
  packed,
}) => {
  const root = layProgram(packed, 'vite-dev');
  const server = await createDevServer({ ...viteConfig(root), server: quietServer });
  try {
    await server.listen();
    const tabs = await openTabs(context, server.resolvedUrls?.local[0] ?? '', 2);
    await clickInAll(tabs, 5);
  } finally {
    await server.close();
  }
});

test('T35 the program of the README, built by Vite: libp2p is not loaded, chunks have names', async ({
  context,
  packed,
}) => {
  const root = layProgram(packed, 'vite-build');
  const built = await build(viteConfig(root));
  const chunks = (Array.isArray(built) ? built : [built as Built]).flatMap(({ output }) =>
    output.flatMap((file) => (file.type === 'chunk' ? [file] : [])),
  );
  // What the page loads at once, as opposed to what it loads when it is called for.
  const atOnce = new Set(chunks.filter(({ isEntry }) => isEntry));
  for (const chunk of atOnce) {
    for (const one of chunks) if (chunk.imports.includes(one.fileName)) atOnce.add(one);
  }
  const modules = [...atOnce].flatMap(({ moduleIds }) => moduleIds);
  expect(modules.filter((id) => /quorate\/dist\/browser\.js$/.test(id))).toHaveLength(1);
  expect(modules.filter((id) => /quorate-(relays|secret)|dist\/index\.js/.test(id))).toEqual([]);
  // And those are called what they are in whatever an application is served from (T35).
  const names = chunks.map(({ fileName }) => fileName);
  for (const name of ['quorate-relays', 'quorate-secret']) {
    expect(names.filter((one) => one.includes(name))).toHaveLength(1);
  }
  const server = await preview({ ...viteConfig(root), preview: { host: '127.0.0.1', port: 0 } });
  try {
    const tabs = await openTabs(context, server.resolvedUrls?.local[0] ?? '', 2);
    await clickInAll(tabs, 5);
  } finally {
    await server.close();
  }
});

test('B14 a page rendered on a server starts nothing there and lives in the browser', async ({
  context,
  packed,
}) => {
  const root = layFixture(packed, 'ssr');
  const vite = await createDevServer({
    ...viteConfig(root),
    appType: 'custom',
    server: { ...quietServer, middlewareMode: true },
  });
  const { render } = (await vite.ssrLoadModule('/server.js')) as { render(): string };
  const template = await vite.transformIndexHtml(
    '/',
    readFileSync(join(root, 'index.html'), 'utf8'),
  );
  const server = createServer((request, response) => {
    vite.middlewares(request, response, () => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(template.replace('<!--app-->', render()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    expect(render()).toBe('<button disabled>0</button><small>server</small>');
    expect(await (await fetch(url)).text()).toContain(render());
    const tabs = await openTabs(context, url, 2);
    await clickInAll(tabs, 5);
    await expect(tabs[0]!.locator('small')).toHaveText('ready');
    expect(render()).toBe('<button disabled>0</button><small>server</small>');
  } finally {
    await vite.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('B14 joinCluster() twice, also from two copies of the package, is one member', async ({
  page,
  packed,
  serve,
}) => {
  const site = siteOf(packed);
  const origin = await serve({
    ...site,
    '/': '<title>Twice</title>',
    '/copy.js': site['/quorate.js']!,
  });
  await page.goto(origin);
  const seen = await page.evaluate(async () => {
    const paths = ['/quorate.js', '/copy.js'];
    const copies = (await Promise.all(paths.map((path) => import(path)))) as Quorate[];
    const [first, copy] = copies as [Quorate, Quorate];
    const join = ({ joinCluster }: Quorate): Cluster => joinCluster({ namespace: 'twice' });
    const handles = [join(first), join(first), join(copy)] as const;
    await Promise.all(handles.map((handle) => handle.ready()));
    await Promise.all(handles.map((handle) => handle.counter('clicks').add(1)));
    const [one, two, three] = handles;
    const count = await one.counter('clicks').get();
    const members = new Set(handles.map((handle) => handle.status.nodeId)).size;
    await one.close();
    await two.close();
    const phaseBefore = three.status.phase;
    await three.counter('clicks').add(1);
    const countOfLast = await three.counter('clicks').get();
    await three.close();
    const { held } = await navigator.locks.query();
    return { different: first !== copy, members, count, phaseBefore, countOfLast, held };
  });
  expect(seen).toEqual({
    different: true,
    members: 1,
    count: 3,
    phaseBefore: 'ready',
    countOfLast: 4,
    held: [],
  });
});

test('a page with a secret loads what that takes, and its tabs are one cluster', async ({
  context,
  packed,
  serve,
}) => {
  const origin = await serve({ ...siteOf(packed), '/': '<title>Secret</title>' });
  const requests: string[] = [];
  context.on('request', (request) => requests.push(new URL(request.url()).pathname));
  const openTab = async (secret: string | undefined): Promise<Page> => {
    const tab = await context.newPage();
    await tab.goto(origin);
    await tab.evaluate(async (given) => {
      const path: string = '/quorate.js';
      const { joinCluster } = (await import(path)) as Quorate;
      const options = given === undefined ? {} : { secret: given };
      const cluster = joinCluster({ namespace: 'secret', ...options });
      Object.assign(globalThis, { cluster });
      await cluster.ready();
    }, secret);
    return tab;
  };
  const add = (tab: Page): Promise<number> =>
    tab.evaluate(async () => {
      const { cluster } = globalThis as unknown as { readonly cluster: Cluster };
      await cluster.counter('clicks').add(1);
      return cluster.counter('clicks').get();
    });
  const page = await context.newPage();
  await page.goto(origin);
  const secret = await page.evaluate(async () => {
    const path: string = '/quorate.js';
    const { createSecret } = (await import(path)) as Quorate;
    return createSecret();
  });
  expect(requests).not.toContain('/quorate-secret.js');
  expect(await add(await openTab(secret))).toBe(1);
  expect(requests).toContain('/quorate-secret.js');
  expect(await add(await openTab(secret))).toBe(2);
});

type Built = Extract<Awaited<ReturnType<typeof build>>, { readonly output: unknown }>;

/** What the pages of this file use of the package. */
type Quorate = {
  joinCluster(options: { readonly namespace: string; readonly secret?: string }): Cluster;
  createSecret(): string;
};
type Cluster = {
  readonly status: { readonly nodeId: string | null; readonly phase: string };
  ready(): Promise<void>;
  counter(name: string): { add(by: number): Promise<unknown>; get(): Promise<number> };
  close(): Promise<void>;
};

function layProgram({ app, program }: Packed, name: string): string {
  const root = join(app, name);
  mkdirSync(root, { recursive: true });
  // Vite's server names no encoding, so the page does.
  writeFileSync(join(root, 'index.html'), `<!doctype html><meta charset="utf-8">\n${program}`);
  return root;
}

const quietServer = { host: '127.0.0.1', port: 0, watch: null } as const;

function viteConfig(root: string): InlineConfig {
  return { root, configFile: false, logLevel: 'warn', clearScreen: false };
}
