/** The site under test: pages of one origin that run the program of app.ts, and pages that do not. */
import { build } from 'esbuild';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

export type Site = {
  /** Where the program runs, without its query. */
  readonly tab: string;
  /** A page of the same origin without any script. */
  readonly plain: string;
  /** A page of another site. */
  readonly elsewhere: string;
  /** The program again, at a host that browsers take for no secure context. */
  readonly insecure: string;
  close(): Promise<void>;
};

/** Resolves to the loopback, where the browsers of these tests are told so. */
export const insecureHost = 'insecure.test';

export async function startSite(): Promise<Site> {
  const script = await bundleApp();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [type, body] = pathname === '/app.js' ? ['text/javascript', script] : page(pathname);
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    tab: `http://127.0.0.1:${port}/tab`,
    plain: `http://127.0.0.1:${port}/plain`,
    elsewhere: `http://localhost:${port}/plain`,
    insecure: `http://${insecureHost}:${port}/tab`,
    close: () => closeServer(server),
  };
}

function page(pathname: string): readonly [string, string] {
  const script = pathname === '/tab' ? '<script type="module" src="/app.js"></script>' : '';
  return ['text/html', `<!doctype html><title>${pathname}</title>${script}<p>${pathname}</p>`];
}

/** The program with `joinCluster` as browsers get it. */
async function bundleApp(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { joinCluster } from './join/src/browser/index.ts';
        import { startApp } from ${JSON.stringify(fileURLToPath(new URL('app.ts', import.meta.url)))};
        startApp(joinCluster);
      `,
      resolveDir: fileURLToPath(new URL('../../../packages', import.meta.url)),
      sourcefile: 'tab.js',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['source'],
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
