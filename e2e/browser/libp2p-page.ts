/** Pages with a libp2p host, and the relay and the Node hosts that they meet. */
import { test as base } from '@playwright/test';
import type {
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestType,
} from '@playwright/test';
import { buildSync } from 'esbuild';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
      const script = bundle('iife', 'browser');
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
  const directory = mkdtempSync(join(tmpdir(), 'quorate-suites-'));
  try {
    const file = join(directory, 'suites.cjs');
    writeFileSync(file, bundle('cjs', 'node'));
    createRequire(import.meta.url)(file);
    return globalThis.quorateLibp2p.cases.map(({ name }) => name);
  } finally {
    rmSync(directory, { recursive: true });
  }
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

const entry = `
import { libp2pPage, registerSuite, serveHosts, setWorld } from './browser-suite.ts';

const cases = [];
registerSuite((name, run) => cases.push({ name, run }));
globalThis.quorateLibp2p = { cases, setWorld, serveHosts, page: libp2pPage };
`;

const html = '<!doctype html><title>Quorate</title><script src="/page.js"></script>';

function bundle(format: 'iife' | 'cjs', platform: 'browser' | 'node'): string {
  const { outputFiles } = buildSync({
    stdin: { contents: entry, resolveDir: home, sourcefile: 'suites.js' },
    bundle: true,
    write: false,
    format,
    platform,
    target: 'es2023',
    conditions: ['source'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
