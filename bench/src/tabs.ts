/** What people wait for in tabs of one browser, without any server. */
import type { BrowserContext, Page } from '@playwright/test';
import { inBrowsers, inProfile } from './browsers.ts';
import type { BrowserName } from './browsers.ts';
import { median, percentile, rounded, table } from './figures.ts';
import { startSite } from './site.ts';
import type { TabsPage } from './tabs-page.ts';

type Row = { readonly name: string; readonly values: readonly number[] };

/** Prints a table for each browser that is installed. Needs the build. */
export async function benchTabs(): Promise<void> {
  const site = await startSite('tabs-page.ts');
  try {
    await inBrowsers('Tabs', async (name, path) => {
      const rows = await measure(name, path, site.url);
      console.log(`\nTabs of one profile in ${name}, milliseconds unless it says otherwise`);
      console.log(
        table(
          ['', 'p50', 'min', 'max'],
          rows.map(({ name: what, values }) => [
            what,
            rounded(median(values)),
            rounded(Math.min(...values)),
            rounded(Math.max(...values)),
          ]),
        ),
      );
    });
  } finally {
    await site.close();
  }
}

async function measure(name: BrowserName, path: string, url: string): Promise<Row[]> {
  const rows: Row[] = [];
  const fresh: number[] = [];
  const loaded: number[] = [];
  for (let i = 0; i < profiles; i += 1) {
    await inProfile(name, path, async (context) => {
      const times = await firstWrite(context, `${url}?write`);
      fresh.push(times.committed);
      loaded.push(times.joined);
    });
  }
  rows.push({ name: 'script start → the library runs', values: loaded });
  rows.push({ name: 'script start → first commit, fresh profile', values: fresh });
  await inProfile(name, path, async (context) => {
    rows.push(...(await timeReturns(context, url)));
    rows.push(await timeEvents(context, `${url}?namespace=events`));
    rows.push(await timeSuccession(context, `${url}?namespace=succession`));
    for (const tabs of [1, 3, 6]) {
      rows.push(await countWrites(context, `${url}?namespace=writes-${tabs}`, tabs));
    }
  });
  return rows;
}

/** A page opened again, all others of its cluster closed. */
async function timeReturns(context: BrowserContext, url: string): Promise<Row[]> {
  const committed: number[] = [];
  const shown: number[] = [];
  await firstWrite(context, `${url}?write`);
  for (let i = 0; i < runs; i += 1) {
    const times = await firstWrite(context, `${url}?write`);
    committed.push(times.committed);
    shown.push(times.shown);
  }
  return [
    { name: 'script start → first commit, known profile', values: committed },
    { name: 'script start → last committed state shown', values: shown },
  ];
}

async function firstWrite(
  context: BrowserContext,
  url: string,
): Promise<{ joined: number; committed: number; shown: number }> {
  const page = await openPage(context, url);
  await page.waitForFunction(() => globalThis.bench.times.committed !== null);
  const times = await page.evaluate(() => globalThis.bench.times);
  // Its replicas all vote before it goes: what comes next finds a cluster of three.
  await page.waitForFunction(() => globalThis.bench.status().voters === 3);
  await page.close();
  const { joined, committed, shown } = times;
  return { joined, committed: committed ?? Number.NaN, shown: shown ?? Number.NaN };
}

async function timeEvents(context: BrowserContext, url: string): Promise<Row> {
  const pages = await openCluster(context, url, 3);
  const delays: number[] = [];
  for (const writer of pages) {
    const others = pages.filter((page) => page !== writer);
    await writer.evaluate((count) => globalThis.bench.stamp(count, 5), stamps);
    for (const page of others) {
      delays.push(...(await page.evaluate(() => globalThis.bench.delays.splice(0))));
    }
  }
  await closeAll(pages);
  delays.sort((a, b) => a - b);
  const to = percentile(delays, 0.99);
  return { name: 'write → event in another tab (max: p99)', values: cut(delays, to) };
}

function cut(values: readonly number[], to: number): readonly number[] {
  return values.filter((value) => value <= to);
}

/** The longest that another tab's writes take while the leader's tab is closed. */
async function timeSuccession(context: BrowserContext, url: string): Promise<Row> {
  const values: number[] = [];
  for (let i = 0; i < runs; i += 1) {
    const pages = await openCluster(context, url, 3);
    const leads = await Promise.all(
      pages.map((page) => page.evaluate(() => globalThis.bench.status().leads)),
    );
    const leader = pages[leads.indexOf(true)];
    const other = pages.find((page) => page !== leader);
    if (leader === undefined || other === undefined) throw new Error('No tab leads');
    await other.evaluate(() => {
      globalThis.bench.beat();
    });
    await sleep(300);
    await leader.close();
    await sleep(1_500);
    values.push(await other.evaluate(() => globalThis.bench.stop()));
    await closeAll(pages.filter((page) => page !== leader));
  }
  return { name: "leader's tab closed → next committed write", values };
}

async function countWrites(context: BrowserContext, url: string, tabs: number): Promise<Row> {
  const pages = await openCluster(context, url, tabs);
  const values: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const counts = await Promise.all(
      pages.map((page) =>
        page.evaluate(([ms, inFlight]) => globalThis.bench.flood(ms, inFlight), [
          roundMs,
          inFlightPerTab,
        ] as const),
      ),
    );
    values.push(counts.reduce((sum, count) => sum + count, 0) / (roundMs / 1_000));
  }
  await closeAll(pages);
  return { name: `writes/s, ${tabs} tab(s), ${inFlightPerTab} in flight each`, values };
}

/** Tabs that know three voters and take writes, the replicas spread as far as there are tabs. */
async function openCluster(context: BrowserContext, url: string, tabs: number): Promise<Page[]> {
  const pages: Page[] = [];
  for (let i = 0; i < tabs; i += 1) {
    const page = await openPage(context, url);
    await page.waitForFunction(() => {
      const { canWrite, voters } = globalThis.bench.status();
      return canWrite && voters === 3;
    });
    pages.push(page);
  }
  await sleep(settledMs);
  return pages;
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => 'bench' in globalThis);
  return page;
}

async function closeAll(pages: readonly Page[]): Promise<void> {
  for (const page of pages) await page.close();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

declare global {
  var bench: TabsPage;
}

const profiles = 5;
const runs = 10;
const stamps = 100;
const rounds = 3;
const roundMs = 3_000;
const inFlightPerTab = 16;
/** Replicas are handed over within a second or two of a tab's start. */
const settledMs = 2_500;
