/** Pages with a libp2p host, and the relay and the Node hosts that they meet. */
import { test as base } from '@playwright/test';
import type {
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestType,
} from '@playwright/test';
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runHere, servePage } from './bundle.ts';

const home = fileURLToPath(new URL('../../packages/transport-libp2p/test', import.meta.url));

export type Libp2pPageApi = {
  readonly cases: readonly { readonly name: string; readonly run: () => Promise<void> }[];
  setWorld(world: { readonly relay: string; readonly control: string }): void;
  serveHosts(): void;
  /** A host that links with everybody of its namespace. */
  readonly page: {
    readonly links: readonly {
      readonly host: string;
      readonly kind: string;
      readonly initiator: boolean;
      readonly roundTripMs: number | undefined;
    }[];
    readonly events: readonly string[];
    readonly received: number;
    start(
      namespace: string,
      options: {
        readonly relays: readonly string[];
        readonly direct?: boolean;
        readonly timing?: { readonly webRtcTimeoutMs: number };
      },
    ): Promise<string>;
    send(bytes: number): void;
    /** From now on, leaving the page sends three bytes and closes. */
    closeOnPagehide(): void;
    redial(host: string): Promise<{ readonly ms: number; readonly kind: string }>;
  };
};

declare global {
  var quorateLibp2p: Libp2pPageApi;
}

/** The relay, in a process of its own. */
export type World = {
  readonly relay: string;
  readonly control: string;
  stopRelay(): Promise<void>;
  startRelay(): Promise<void>;
  close(): Promise<void>;
};

/** Tests with the page's `origin` and the `world` it meets. */
export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions,
  PlaywrightWorkerArgs &
    PlaywrightWorkerOptions & { readonly origin: string; readonly world: World }
> = base.extend<object, { readonly origin: string; readonly world: World }>({
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
  world: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const world = await openWorld();
      await use(world);
      await world.close();
    },
    { scope: 'worker' },
  ],
});

/** The names of the cases that the page will have; none of them is run. */
export function listCases(): readonly string[] {
  runHere(entry);
  return globalThis.quorateLibp2p.cases.map(({ name }) => name);
}

async function openWorld(): Promise<World> {
  const child = fork(join(home, 'processes/browser-world-main.ts'), [], {
    execArgv: ['--conditions=source', '--import', import.meta.resolve('tsx')],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const next = async <Message extends object>(
    wanted: (message: object) => boolean,
  ): Promise<Message> =>
    new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('The world ended'));
      const take = (message: object): void => {
        if (!wanted(message)) return;
        child.off('message', take);
        child.off('exit', ended);
        resolve(message as Message);
      };
      child.on('message', take);
      child.once('exit', ended);
    });
  const { relay, control } = await next<{ relay: string; control: string }>(
    (message) => 'ready' in message,
  );
  let asked = 0;
  const command = async (type: string): Promise<void> => {
    const ask = (asked += 1);
    const done = next((message) => 'ask' in message && message.ask === ask);
    child.send({ ask, type });
    await done;
  };
  return {
    relay,
    control,
    stopRelay: async () => command('stopRelay'),
    startRelay: async () => command('startRelay'),
    close: async () => {
      if (!child.connected) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await gone;
    },
  };
}

const entry = {
  home,
  code: `
import { libp2pPage, registerSuite, serveHosts, setWorld } from './browser-suite.ts';

const cases = [];
registerSuite((name, run) => cases.push({ name, run }));
globalThis.quorateLibp2p = { cases, setWorld, serveHosts, page: libp2pPage };
`,
};
