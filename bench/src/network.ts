/** What people wait for in tabs that meet over a relay, with Node members and without. */
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inBrowser, inBrowsers } from './browsers.ts';
import { median, percentile, rounded, table } from './figures.ts';
import type { DialPage, Dialled, NetworkPage } from './network-page.ts';
import { hasThreeVoters, startCluster, startNode, startRelay } from './processes.ts';
import type { Process } from './processes.ts';
import { startSite } from './site.ts';

type Row = { readonly name: string; readonly aim: string; readonly values: readonly number[] };

/** Prints a table for each browser that is installed. Needs the build. */
export async function benchNetwork(): Promise<void> {
  const site = await startSite('network-page.ts');
  try {
    await inBrowsers('Tabs over a relay', async (name, path) => {
      await inBrowser(name, path, async (browser) => {
        const rows = [
          ...(await withMembers(browser, site.url)),
          ...(await alone(browser, site.url)),
        ];
        console.log(`\nTabs in ${name} over a relay, milliseconds; each context is a profile`);
        console.log(
          table(
            ['', 'p50', 'p99', 'max', 'count', 'aim'],
            rows.map(({ name: what, aim, values }) => [
              what,
              rounded(median(values)),
              rounded(percentile([...values].sort(upwards), 0.99)),
              rounded(Math.max(...values)),
              String(values.length),
              aim,
            ]),
          ),
        );
      });
    });
  } finally {
    await site.close();
  }
}

/** Tabs beside three Node members: the tabs learn, the members vote. */
async function withMembers(browser: Browser, site: string): Promise<Row[]> {
  const cluster = await startCluster();
  const nodes = cluster.nodes.map(({ process }) => process);
  const url = `${site}?relay=${encodeURIComponent(cluster.relay)}&namespace=bench`;
  try {
    const reads: number[] = [];
    for (let i = 0; i < starts; i += 1) {
      await inContexts(browser, 1, async ([context]) => {
        const page = await openPage(context, url);
        await page.waitForFunction(() => globalThis.network.times.read !== null);
        reads.push(await page.evaluate(() => globalThis.network.times.read ?? Number.NaN));
      });
    }
    const writes: number[] = [];
    await inContexts(browser, 1, async ([context]) => {
      const page = await openPage(context, url);
      await isReady(page);
      for (let i = 0; i < kills; i += 1) {
        writes.push(await killLeader(page, nodes, cluster.directory, cluster.relay));
      }
    });
    return [
      { name: 'tab starts → first linearizable read', aim: '2,000', values: reads },
      { name: 'Node leader killed → next write of a tab', aim: 'p99 4,000', values: writes },
    ];
  } finally {
    for (const node of nodes) if (node.child.exitCode === null) await node.kill('SIGTERM');
    await cluster.close();
  }
}

/** The longest that a tab's writes take while the leader is killed; it is started again. */
async function killLeader(
  page: Page,
  nodes: Process[],
  directory: string,
  relay: string,
): Promise<number> {
  const leader = await page.evaluate(() => globalThis.network.status().leader);
  const ids = await Promise.all(
    nodes.map(async (node) => (await node.event(({ event }) => event === 'started'))['nodeId']),
  );
  const at = ids.indexOf(leader);
  const killed = nodes[at];
  if (killed === undefined) throw new Error('No Node member leads');
  await page.evaluate(() => {
    globalThis.network.beat();
  });
  await sleep(500);
  await killed.kill('SIGKILL');
  await sleep(2_000);
  const longest = await page.evaluate(() => globalThis.network.stop());
  const again = startNode(directory, relay, names[at] ?? '');
  nodes[at] = again;
  await again.event(hasThreeVoters);
  await sleep(settledMs);
  return longest;
}

/** Tabs of several profiles, and nobody else. */
async function alone(browser: Browser, site: string): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const { relay, address } = await startRelay(directory);
  const url = `${site}?relay=${encodeURIComponent(address)}&namespace=`;
  const leaders: number[] = [];
  let delays: number[] = [];
  try {
    for (let i = 0; i < starts; i += 1) {
      await inContexts(browser, 3, async (contexts) => {
        const pages = await openPages(contexts, `${url}alone-${i}`);
        const times = await Promise.all(pages.map(timeOfLeader));
        const from = Math.min(...times.map(({ startedAtMs }) => startedAtMs));
        leaders.push(Math.max(...times.map(({ leaderAtMs }) => leaderAtMs)) - from);
        if (i === starts - 1) delays = await timeEvents(pages);
      });
    }
    const dials = await timeDials(browser, site, address);
    const kinds = [...new Set(dials.map(({ kind }) => kind))].join(', ');
    const ms = dials.map((dialled) => dialled.ms);
    return [
      { name: 'three profiles start → all know a leader', aim: '2,000', values: leaders },
      { name: 'write → event in another tab, over WebRTC', aim: 'p50 10', values: delays },
      { name: `dial from tab to tab (${kinds})`, aim: 'max 3,000', values: ms },
    ];
  } finally {
    await relay.kill('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  }
}

async function timeOfLeader(
  page: Page,
): Promise<{ readonly startedAtMs: number; readonly leaderAtMs: number }> {
  await page.waitForFunction(() => globalThis.network.times.leader !== null);
  return page.evaluate(() => {
    const { startedAtMs, times } = globalThis.network;
    return { startedAtMs, leaderAtMs: startedAtMs + (times.leader ?? Number.NaN) };
  });
}

async function timeEvents(pages: readonly Page[]): Promise<number[]> {
  for (const page of pages) {
    await page.waitForFunction(() => {
      const { canWrite, voters, links } = globalThis.network.status();
      return canWrite && voters === 3 && links.every((kind) => kind === 'webrtc');
    });
  }
  const delays: number[] = [];
  for (const writer of pages) {
    await writer.evaluate((count) => globalThis.network.stamp(count, 5), stamps);
    for (const page of pages) {
      if (page === writer) continue;
      delays.push(...(await page.evaluate(() => globalThis.network.delays.splice(0))));
    }
  }
  return delays;
}

async function timeDials(browser: Browser, site: string, relay: string): Promise<Dialled[]> {
  const dialled: Dialled[] = [];
  await inContexts(browser, 2, async (contexts) => {
    const pages = await Promise.all(
      contexts.map(async (context) => {
        const page = await context.newPage();
        await page.goto(site);
        await page.waitForFunction(() => 'dialler' in globalThis);
        return page;
      }),
    );
    const [a, b] = pages;
    if (a === undefined || b === undefined) throw new Error('Wanted two pages');
    const [, target] = await Promise.all(
      [a, b].map((page) => page.evaluate((at) => globalThis.dialler.host(at), relay)),
    );
    if (target === undefined) throw new Error('Wanted two hosts');
    for (let i = 0; i < dials; i += 1) {
      dialled.push(
        await a.evaluate(({ id, addresses }) => globalThis.dialler.dial(id, addresses), target),
      );
    }
  });
  return dialled;
}

async function inContexts(
  browser: Browser,
  count: number,
  body: (contexts: readonly BrowserContext[]) => Promise<void>,
): Promise<void> {
  const contexts: BrowserContext[] = [];
  for (let i = 0; i < count; i += 1) contexts.push(await browser.newContext());
  try {
    await body(contexts);
  } finally {
    for (const context of contexts) await context.close();
  }
}

/** All at once, once there is an empty page for each. */
async function openPages(contexts: readonly BrowserContext[], url: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (const context of contexts) pages.push(await context.newPage());
  await Promise.all(pages.map((page) => load(page, url)));
  return pages;
}

async function openPage(context: BrowserContext | undefined, url: string): Promise<Page> {
  if (context === undefined) throw new Error('Wanted a profile');
  const page = await context.newPage();
  await load(page, url);
  return page;
}

async function load(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForFunction(() => 'network' in globalThis);
}

async function isReady(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const { canWrite, voters } = globalThis.network.status();
    return canWrite && voters === 3;
  });
  await sleep(settledMs);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function upwards(a: number, b: number): number {
  return a - b;
}

declare global {
  var network: NetworkPage;
  var dialler: DialPage;
}

const names = ['one', 'two', 'three'] as const;
const starts = 10;
const kills = 15;
const stamps = 100;
const dials = 50;
/** Links are direct by then, and everybody has caught up. */
const settledMs = 2_000;
