/** One tab, and what people and browsers do to it. */
import { expect } from '@playwright/test';
import type { CDPSession, Page } from '@playwright/test';
import type { AppEvent, Found } from '../../src/tab-history.ts';
import { sleep } from '../../src/wait.ts';
import type { Status } from './app.ts';
import { childrenOf, commandLineOf, cpuTicksOf } from './processes.ts';

/** Long enough for a machine that is busy with other things; no test waits this long for nothing. */
export const patience: { readonly timeout: number; readonly intervals: number[] } = {
  timeout: 30_000,
  intervals: [25, 50, 100, 250],
};

export class Tab {
  readonly page: Page;
  readonly label: string;
  /** What its page said, also by earlier loads of it. A crash takes none of it back. */
  readonly events: AppEvent[] = [];
  readonly #heard = new Set<string>();
  readonly #browserPid: number;
  #session: CDPSession | null = null;
  #stoppedPid: number | null = null;
  #gone = false;

  constructor(page: Page, label: string, browserPid: number) {
    this.page = page;
    this.label = label;
    this.#browserPid = browserPid;
  }

  /** False once it is closed or has crashed. */
  get isOpen(): boolean {
    return !this.#gone && !this.page.isClosed();
  }

  /** Takes each event once: browsers repeat what a page said that comes out of their cache. */
  heard(event: AppEvent): void {
    if (this.#heard.has(event.id)) return;
    this.#heard.add(event.id);
    this.events.push(event);
  }

  // What its member says ---------------------------------------------------------------------------

  status(): Promise<Status> {
    return this.page.evaluate(() => globalThis.app.status());
  }

  peerId(): Promise<string | null> {
    return this.page.evaluate(() => globalThis.app.peerId());
  }

  /** Resolves once writes are taken. */
  async untilReady(): Promise<void> {
    await expect
      .poll(() => this.#phase(), { ...patience, message: `${this.label} takes writes` })
      .toBe('ready');
  }

  async #phase(): Promise<string> {
    try {
      const { phase, canWrite, message } = await this.status();
      return canWrite ? phase : `${phase}: ${message}`;
    } catch (error) {
      // The page is on its way from one document to the next.
      return String(error);
    }
  }

  mark(): Promise<boolean> {
    return this.page.evaluate(() => globalThis.app.mark());
  }

  find(): Promise<Found> {
    return this.page.evaluate(() => globalThis.app.find());
  }

  countHere(): Promise<number> {
    return this.page.evaluate(() => globalThis.app.countHere());
  }

  writing(pauseMs: number): Promise<void> {
    return this.page.evaluate((pause) => globalThis.app.writing(pause), pauseMs);
  }

  transacting(): Promise<void> {
    return this.page.evaluate(() => globalThis.app.transacting());
  }

  reading(pauseMs: number): Promise<void> {
    return this.page.evaluate((pause) => globalThis.app.reading(pause), pauseMs);
  }

  stop(): Promise<void> {
    return this.page.evaluate(() => globalThis.app.stop());
  }

  /** Events of a type, of all loads. */
  said(type: string): readonly AppEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  /** Resolves once the page has said `count` more events of that type. */
  async untilSaid(type: string, count: number): Promise<void> {
    const wanted = this.said(type).length + count;
    await expect
      .poll(() => this.said(type).length, { ...patience, message: `${this.label} says ${type}` })
      .toBeGreaterThanOrEqual(wanted);
  }

  // What is done to it -----------------------------------------------------------------------------

  async close(): Promise<void> {
    this.#gone = true;
    await this.page.close();
  }

  /** Chromium only. */
  async crash(): Promise<void> {
    const crashed = this.page.waitForEvent('crash');
    (await this.#cdp()).send('Page.crash').catch(() => {});
    this.#gone = true;
    await crashed;
  }

  /** As a person does in the browser's settings, while the site's tabs are open. */
  async clearSiteData(): Promise<void> {
    const browser = this.page.context().browser();
    if (browser?.browserType().name() === 'chromium') {
      const origin = new URL(this.page.url()).origin;
      const session = await this.#cdp();
      await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
      return;
    }
    await this.page.evaluate(async () => {
      for (const { name = '' } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
    });
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  async leaveTo(url: string): Promise<void> {
    await this.page.goto(url);
  }

  /** Resolves once the program runs there again, from the back/forward cache or anew. */
  async back(): Promise<void> {
    await this.page.evaluate(() => history.back()).catch(() => {});
    await expect
      .poll(() => this.#isLoaded(), { ...patience, message: `${this.label} is back` })
      .toBe(true);
  }

  /** Came its page back out of the back/forward cache, and not from the site? */
  get cameFromCache(): boolean {
    return this.said('pageshow').at(-1)?.['persisted'] === true;
  }

  /** Another tab in front of it, in the same window. */
  async hide(): Promise<void> {
    const cover = this.page.context().waitForEvent('page');
    await this.page.evaluate(() => void window.open('about:blank'));
    await cover;
    await this.#untilVisibility('hidden');
  }

  async show(): Promise<void> {
    await this.page.bringToFront();
    await this.#untilVisibility('visible');
  }

  /** As the browser freezes hidden tabs: the page hears of it. Chromium only. */
  async freeze(): Promise<void> {
    await (await this.#cdp()).send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw(): Promise<void> {
    await (await this.#cdp()).send('Page.setWebLifecycleState', { state: 'active' });
  }

  /** Its process stands still at once, and nothing in the page hears of it. Chromium on Linux only. */
  async suspend(): Promise<void> {
    const pid = await this.#rendererPid();
    process.kill(pid, 'SIGSTOP');
    this.#stoppedPid = pid;
  }

  /** Harmless where nothing was suspended. */
  resume(): void {
    if (this.#stoppedPid !== null) process.kill(this.#stoppedPid, 'SIGCONT');
    this.#stoppedPid = null;
  }

  /** The only one of the browser's renderers that is busy while this page is. */
  async #rendererPid(): Promise<number> {
    const renderers = childrenOf(this.#browserPid).filter((pid) =>
      commandLineOf(pid).includes('--type=renderer'),
    );
    const before = new Map(renderers.map((pid) => [pid, cpuTicksOf(pid)]));
    await this.page.evaluate((busyMs) => {
      const endMs = performance.now() + busyMs;
      while (performance.now() < endMs);
    }, 300);
    const used = renderers.map((pid) => ({ pid, ticks: cpuTicksOf(pid) - (before.get(pid) ?? 0) }));
    used.sort((a, b) => b.ticks - a.ticks);
    const [first, second] = used;
    if (first === undefined || first.ticks < 2 * (second?.ticks ?? 0)) {
      throw new Error(`Cannot tell whose process is whose: ${JSON.stringify(used)}`);
    }
    return first.pid;
  }

  async #cdp(): Promise<CDPSession> {
    this.#session ??= await this.page.context().newCDPSession(this.page);
    return this.#session;
  }

  async #isLoaded(): Promise<boolean> {
    try {
      return await Promise.race([
        this.page.evaluate(() => 'app' in globalThis),
        sleep(1_000).then(() => false),
      ]);
    } catch {
      return false;
    }
  }

  async #untilVisibility(wanted: DocumentVisibilityState): Promise<void> {
    const visibility = (): Promise<string> => this.page.evaluate(() => document.visibilityState);
    await expect
      .poll(visibility, { ...patience, message: `${this.label} is ${wanted}` })
      .toBe(wanted);
  }
}
