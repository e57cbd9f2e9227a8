/**
 * A browser with a profile of its own, as a person has one: it can be closed, killed, and started
 * again with what it had stored.
 *
 * Chromium is started here rather than by Playwright, whose flags and focus emulation would keep all
 * tabs visible, their timers exact, and the back/forward cache off.
 */
import { chromium, firefox, webkit } from '@playwright/test';
import type { Browser, BrowserContext, BrowserType, LaunchOptions } from '@playwright/test';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../src/wait.ts';
import { childrenOf } from './processes.ts';
import { insecureHost } from './site.ts';

export interface Profile {
  readonly browserName: string;
  readonly context: BrowserContext;
  /** Of the browser's main process. */
  readonly pid: number;
  /** Ends the browser as its user would. */
  quit(): Promise<void>;
  /** SIGKILL, to all of the browser at once. */
  kill(): Promise<void>;
  /** Starts the browser again, with the same profile. */
  start(): Promise<void>;
  /** Ends the browser and forgets the profile. */
  dispose(): Promise<void>;
}

/** `shared` is a running browser to use, null to start one whose profile outlives it. */
export async function createProfile(
  browserName: string,
  options: LaunchOptions,
  shared: Browser | null,
): Promise<Profile> {
  const profile =
    shared !== null
      ? new ContainedProfile(shared)
      : browserName === 'chromium'
        ? new ChromiumProfile(await newDirectory(), options)
        : new StoredProfile(
            browserName === 'firefox' ? firefox : webkit,
            await newDirectory(),
            browserName === 'firefox' ? firefoxOptions(options) : options,
          );
  await profile.start();
  return profile;
}

function newDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'quorate-profile-'));
}

class ChromiumProfile implements Profile {
  readonly browserName = 'chromium';
  readonly #directory: string;
  readonly #options: LaunchOptions;
  #process: ChildProcess | null = null;
  #context: BrowserContext | null = null;

  constructor(directory: string, options: LaunchOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  get context(): BrowserContext {
    return running(this.#context);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    const portFile = join(this.#directory, 'DevToolsActivePort');
    await rm(portFile, { force: true });
    const path = this.#options.executablePath ?? chromium.executablePath();
    const flags = [...chromiumFlags, ...(this.#options.args ?? [])];
    this.#process = spawn(path, [...flags, `--user-data-dir=${this.#directory}`, 'about:blank'], {
      stdio: 'ignore',
    });
    process.once('exit', this.#endWithUs);
    const port = await until('Chromium listens', async () => {
      return /^(\d+)\n/.exec(await readFile(portFile, 'utf8'))?.[1];
    });
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
    this.#context = browser.contexts()[0] ?? null;
  }

  async quit(): Promise<void> {
    const ended = this.#ended();
    const browser = this.context.browser();
    const session = await browser?.newBrowserCDPSession();
    await session?.send('Browser.close').catch(() => {});
    await ended;
    await browser?.close();
    this.#context = null;
  }

  async kill(): Promise<void> {
    const browser = this.#context?.browser();
    const ended = this.#ended();
    this.#killAll();
    await ended;
    await browser?.close().catch(() => {});
    this.#context = null;
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly #endWithUs = (): void => this.#killAll();

  #killAll(): void {
    if (this.#process?.exitCode !== null || this.#process.pid === undefined) return;
    const { pid } = this.#process;
    for (const one of [pid, ...childrenOf(pid)]) killQuietly(one);
  }

  async #ended(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => child.once('exit', resolve));
    process.removeListener('exit', this.#endWithUs);
  }
}

/** A browser takes seconds to start: a container of one that runs already is often enough. */
export class ContainedProfile implements Profile {
  readonly browserName: string;
  readonly pid = 0;
  readonly #browser: Browser;
  #context: BrowserContext | null = null;

  constructor(browser: Browser) {
    this.#browser = browser;
    this.browserName = browser.browserType().name();
  }

  get context(): BrowserContext {
    return running(this.#context);
  }

  async start(): Promise<void> {
    this.#context = await this.#browser.newContext();
  }

  async quit(): Promise<void> {
    throw new Error('This browser is shared, wanted one of its own');
  }

  kill(): Promise<void> {
    return this.quit();
  }

  async dispose(): Promise<void> {
    await this.#context?.close();
    this.#context = null;
  }
}

/** A browser that Playwright starts, with a directory that outlives it. */
class StoredProfile implements Profile {
  readonly #type: BrowserType;
  readonly #directory: string;
  readonly #options: LaunchOptions;
  #context: BrowserContext | null = null;
  #pid = 0;

  constructor(type: BrowserType, directory: string, options: LaunchOptions) {
    this.#type = type;
    this.#directory = directory;
    this.#options = options;
  }

  get browserName(): string {
    return this.#type.name();
  }

  get context(): BrowserContext {
    return running(this.#context);
  }

  get pid(): number {
    return this.#pid;
  }

  async start(): Promise<void> {
    const before = new Set(childrenOf(process.pid, 'direct'));
    this.#context = await this.#type.launchPersistentContext(this.#directory, this.#options);
    const mine = childrenOf(process.pid, 'direct').filter((pid) => !before.has(pid));
    this.#pid = mine[0] ?? 0;
  }

  async quit(): Promise<void> {
    await this.#context?.close();
    this.#context = null;
  }

  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.context.once('close', resolve));
    for (const one of [this.#pid, ...childrenOf(this.#pid)]) killQuietly(one);
    await closed;
    this.#context = null;
  }

  async dispose(): Promise<void> {
    await this.quit();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What these tests need to be allowed, on top of the project's options. */
export function firefoxOptions(options: LaunchOptions): LaunchOptions {
  return {
    ...options,
    firefoxUserPrefs: {
      ...options.firefoxUserPrefs,
      'network.dns.localDomains': insecureHost,
      'dom.disable_open_during_load': false,
    },
  };
}

function running(context: BrowserContext | null): BrowserContext {
  if (context === null) throw new Error('The browser does not run');
  return context;
}

function killQuietly(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

const chromiumFlags = [
  '--headless',
  '--remote-debugging-port=0',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-startup-window',
  '--disable-popup-blocking',
  '--disable-component-update',
  '--disable-background-networking',
  '--disable-sync',
  '--disable-extensions',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--password-store=basic',
  '--use-mock-keychain',
  `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`,
];
