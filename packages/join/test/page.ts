/** Pages of one browser profile within this process: their life cycle in the test's hand. */
import { systemClock, systemRandom } from '@quorate/contracts';
import type { KvStateMachine } from '@quorate/kv';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import type { Environment } from '../src/browser/environment.ts';
import { TabRunner } from '../src/browser/tab-runner.ts';
import { ClusterCore, ClusterHandle } from '../src/cluster.ts';
import type { Cluster } from '../src/cluster.ts';
import type { JoinOptions } from '../src/options.ts';
import { Profile } from './profile.ts';

globalThis.IDBKeyRange = IDBKeyRange;

let worlds = 0;

export class Browser {
  readonly profile: Profile = new Profile();
  readonly indexedDB: IDBFactory = new IDBFactory();
  /** Channels of this process are shared by all tests: a namespace of each browser's own. */
  readonly namespace: string = `test-${process.pid}-${(worlds += 1)}`;
  readonly pages: Page[] = [];

  open(label: string, options: Partial<JoinOptions> = {}, lacks: Partial<Environment> = {}): Page {
    const page = new Page(this, label, options, lacks);
    this.pages.push(page);
    return page;
  }

  async close(): Promise<void> {
    for (const page of this.pages) await page.cluster.close();
  }
}

export class Page {
  readonly machine: KvStateMachine;
  readonly cluster: Cluster;
  readonly #window = new EventTarget();
  readonly #document: EventTarget & { visibilityState: DocumentVisibilityState } = Object.assign(
    new EventTarget(),
    { visibilityState: 'visible' as const },
  );

  constructor(
    browser: Browser,
    label: string,
    options: Partial<JoinOptions>,
    lacks: Partial<Environment>,
  ) {
    const environment: Environment = {
      clock: systemClock,
      clockName: () => 'timer',
      random: systemRandom,
      isSecure: true,
      locks: browser.profile.locks(label),
      indexedDB: browser.indexedDB,
      page: {
        window: this.#window,
        document: this.#document,
      },
      profile: browser.namespace,
      isPersisted: () => Promise.resolve(false),
      ...lacks,
    };
    let machine: KvStateMachine | null = null;
    const core = new ClusterCore(
      { namespace: browser.namespace, label, ...options },
      (given, made) => {
        machine = made;
        const runner = new TabRunner(given, made, environment);
        return { runner, peerId: () => runner.peerId, addresses: () => runner.addresses };
      },
    );
    this.machine = machine!;
    this.cluster = new ClusterHandle(core, () => core.close());
  }

  /** Closed, navigated away from, or put into the back/forward cache. */
  leave(): void {
    this.#window.dispatchEvent(new Event('pagehide'));
  }

  /** Back from the back/forward cache. */
  comeBack(): void {
    this.#window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  }

  freeze(): void {
    this.#document.dispatchEvent(new Event('freeze'));
  }

  thaw(): void {
    this.#document.dispatchEvent(new Event('resume'));
  }

  show(visibilityState: DocumentVisibilityState): void {
    this.#document.visibilityState = visibilityState;
    this.#document.dispatchEvent(new Event('visibilitychange'));
  }
}
