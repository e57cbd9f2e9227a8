/** Browser profiles with tabs of one cluster in them, and everything that they were told. */
import { expect } from '@playwright/test';
import type { BrowserContext, ConsoleMessage, Page } from '@playwright/test';
import { logPrefix } from './app.ts';
import { complaints } from '../../src/tab-history.ts';
import type { AppEvent, Found } from '../../src/tab-history.ts';
import type { Status } from './app.ts';
import type { Profile } from './profile.ts';
import type { Site } from './site.ts';
import { patience, Tab } from './tab.ts';

/** How a tab is opened, beyond its label. */
export type TabOptions = {
  /** Default: the world's first. */
  readonly profile?: Profile;
  /** Where the program is served. Default: the site's own. */
  readonly base?: string;
  /** More of the program's query. */
  readonly query?: Query;
};

type Query = Readonly<Record<string, string>>;

export class World {
  readonly profile: Profile;
  /** All of them, the first one first. */
  readonly profiles: Profile[] = [];
  readonly site: Site;
  /** Every tab that ever was. */
  readonly tabs: Tab[] = [];
  /** What pages said that no page should say. */
  readonly problems: string[] = [];
  readonly #query: Query;
  readonly #early = new Map<Page, AppEvent[]>();

  /** `query`: what the program is told in every tab. */
  constructor(profile: Profile, site: Site, query: Query) {
    this.profile = profile;
    this.site = site;
    this.#query = query;
    this.#add(profile);
  }

  get open(): Tab[] {
    return this.tabs.filter((tab) => tab.isOpen);
  }

  url(label: string, { base = this.site.tab, query }: TabOptions = {}): string {
    return `${base}?${new URLSearchParams({ ...this.#query, ...query, label }).toString()}`;
  }

  /** A browser profile more: pages of it share nothing with those of the first. */
  async addProfile(profile: Profile): Promise<Profile> {
    await profile.start();
    this.#add(profile);
    await startTrace(profile);
    return profile;
  }

  /** Opens a tab that joins. It need not be ready. */
  async openTab(label: string = this.#nextLabel(), options: TabOptions = {}): Promise<Tab> {
    const { profile = this.profile } = options;
    const page = await profile.context.newPage();
    const tab = this.adopt(page, label, profile);
    await page.goto(this.url(label, options));
    return tab;
  }

  /** Opens tabs one after another, each when the one before takes writes. */
  async openReady(count: number): Promise<Tab[]> {
    const opened: Tab[] = [];
    for (let i = 0; i < count; i += 1) {
      const tab = await this.openTab();
      await tab.untilReady();
      opened.push(tab);
    }
    await this.untilVoters(3);
    return opened;
  }

  adopt(page: Page, label: string, profile: Profile = this.profile): Tab {
    const tab = new Tab(page, label, profile.pid);
    for (const event of this.#early.get(page) ?? []) tab.heard(event);
    this.tabs.push(tab);
    return tab;
  }

  /** The same page once more, with a copy of what its session stored. */
  async duplicate(tab: Tab): Promise<Tab> {
    const opened = this.profile.context.waitForEvent('page');
    await tab.page.evaluate(() => void window.open(location.href));
    const page = await opened;
    await page.waitForLoadState();
    const copy = this.adopt(page, tab.label);
    // What it said before anybody listened.
    const said = await page.evaluate(() => globalThis.app.log);
    for (const event of said) copy.heard(event);
    return copy;
  }

  /** The tab that runs the leader, once all open ones agree who that is. */
  async leader(among: readonly Tab[] = this.open): Promise<Tab> {
    let found: Tab | undefined;
    const look = async (): Promise<string> => {
      const seen = await Promise.all(among.map((tab) => tab.status()));
      const labels = new Set(seen.map(leaderLabel));
      const [label] = labels;
      found = among.find((tab) => tab.label === label);
      return labels.size === 1 && found !== undefined ? 'known' : JSON.stringify([...labels]);
    };
    await expect.poll(look, { ...patience, message: 'all know one leader' }).toBe('known');
    if (found === undefined) throw new Error('There is no leader');
    return found;
  }

  /** Resolves once every open tab counts so many voters, all of them durable. */
  async untilVoters(count: number, among: readonly Tab[] = this.open): Promise<void> {
    const look = async (): Promise<number[]> => {
      const seen = await Promise.all(among.map((tab) => tab.status()));
      return seen.map((status) => votersOf(status).length);
    };
    await expect
      .poll(look, { ...patience, message: `${count} voters` })
      .toEqual(among.map(() => count));
  }

  /** Resolves once each of three tabs runs one of the three replicas. */
  async untilSpread(): Promise<void> {
    const look = async (): Promise<number> => {
      const [status] = await Promise.all(this.open.map((tab) => tab.status()));
      return new Set(status === undefined ? [] : votersOf(status).map(labelOfTab)).size;
    };
    await expect.poll(look, { ...patience, message: 'a replica in each tab' }).toBe(3);
  }

  /** The replicas that vote, by id, sorted. */
  async replicas(tab: Tab): Promise<string[]> {
    return votersOf(await tab.status()).map(({ nodeId }) => nodeId);
  }

  /** Stops what the open tabs do and holds what is there against what anybody was told. */
  async verify(among: readonly Tab[] = this.open): Promise<Found> {
    const [first] = among;
    if (first === undefined) throw new Error('No tab is open');
    for (const tab of among) await tab.stop();
    for (const tab of among) await tab.untilReady();
    const found = await first.find();
    expect(
      complaints(
        this.tabs.map(({ events }) => events),
        found,
      ),
    ).toEqual([]);
    const look = (): Promise<number[]> => Promise.all(among.map((tab) => tab.countHere()));
    await expect
      .poll(look, { ...patience, message: 'all tabs have the same count' })
      .toEqual(among.map(() => found.total));
    expect(this.problems).toEqual([]);
    return found;
  }

  /** Starts the browser again: all tabs are gone, what they stored is not. */
  async restart(how: 'quit' | 'kill'): Promise<void> {
    await this.profile[how]();
    await this.profile.start();
    this.#listenTo(this.profile.context);
    await this.startTrace();
  }

  async startTrace(): Promise<void> {
    for (const profile of this.profiles) await startTrace(profile);
  }

  /** The paths of the traces, one of each profile; a killed browser has none. */
  async saveTraces(pathOf: (at: number) => string): Promise<string[]> {
    const saved: string[] = [];
    for (const [at, profile] of this.profiles.entries()) {
      const path = pathOf(at);
      const stopped = profile.context.tracing.stop({ path });
      await stopped.then(() => saved.push(path)).catch(() => {});
    }
    return saved;
  }

  async dropTraces(): Promise<void> {
    for (const { context } of this.profiles) await context.tracing.stop().catch(() => {});
  }

  /** What is worth knowing of a failure, beside what tabs said. */
  otherLogs(): Readonly<Record<string, readonly string[]>> {
    return { problems: this.problems };
  }

  /** An error on the console that tells of what the test did, not of the program. */
  protected isExpected(_text: string): boolean {
    return false;
  }

  /** Ends its browsers. */
  async dispose(): Promise<void> {
    for (const profile of [...this.profiles].reverse()) await profile.dispose();
  }

  #nextLabel(): string {
    return `tab${this.tabs.length + 1}`;
  }

  #add(profile: Profile): void {
    this.profiles.push(profile);
    this.#listenTo(profile.context);
  }

  #listenTo(context: BrowserContext): void {
    context.on('console', (message) => this.#heard(message));
    context.on('weberror', (problem) => {
      const error = problem.error();
      if (this.isExpected(error.message)) return;
      this.problems.push(`${problem.page()?.url()}: ${error.stack ?? error.message}`);
    });
  }

  #heard(message: ConsoleMessage): void {
    const text = message.text();
    const page = message.page();
    if (!text.startsWith(logPrefix)) {
      if (message.type() !== 'error' || this.isExpected(text)) return;
      this.problems.push(`${page?.url()}: ${text}`);
      return;
    }
    if (page === null) return;
    const event = JSON.parse(text.slice(logPrefix.length)) as AppEvent;
    const tab = this.tabs.find((one) => one.page === page);
    if (tab === undefined) this.#early.set(page, [...(this.#early.get(page) ?? []), event]);
    else tab.heard(event);
  }
}

async function startTrace({ context }: Profile): Promise<void> {
  await context.tracing.start({ snapshots: false, screenshots: false });
}

export function votersOf({ members }: Status): Status['members'] {
  return members
    .filter(({ kind, durable }) => kind === 'voter' && durable)
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

export function learnersOf({ members }: Status): Status['members'] {
  return members.filter(({ kind }) => kind === 'learner');
}

function leaderLabel({ members }: Status): string | undefined {
  const leader = members.find((member) => member.leader);
  return leader === undefined ? undefined : labelOfTab(leader);
}

/** Replicas beside a tab's first one carry its label with a number behind it. */
function labelOfTab({ label }: { readonly label: string }): string {
  return label.replace(/ \(\d+\)$/, '');
}
