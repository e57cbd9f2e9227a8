// The page of the demo: built from apps/demo, and served with what it should know.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { isLoopback } from './local-network.mjs';
import { root } from './workspace.mjs';

const home = `${root}/apps/demo`;

/** Bundles the page. Resolves with its files: by path, `{ type, body }`. */
export async function buildPage() {
  // Not before this is called: `npm start` imports this file before anything is installed.
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: { app: `${home}/src/main.ts`, style: `${home}/src/style.css` },
    outdir: '/',
    entryNames: '[name]',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['source', 'browser'],
    sourcemap: 'linked',
    write: false,
    logLevel: 'warning',
  });
  const files = new Map();
  for (const { path, contents } of outputFiles) {
    files.set(path.replaceAll('\\', '/').replace(/^[A-Za-z]:/, ''), {
      type: types[path.slice(path.lastIndexOf('.'))],
      body: contents,
    });
  }
  return files;
}

/**
 * Serves the page at `http://localhost:<port>/` and, beside it, at the addresses of this machine in
 * `others`. `network` goes into the page, with `relaysFor(host)` as its relays: those that a page
 * loaded from that host can reach. `processes` ({ list, kill, start }), where given, is offered to
 * the page on this machine, and to nothing else: whoever uses it connects over the loopback, with
 * the token that only that page has, from a page of that very origin.
 *
 * Resolves with the server's `url`, the `urls` for other devices, and `close`.
 */
export async function servePage({
  files,
  port,
  others = [],
  network = null,
  relaysFor = () => [],
  processes = null,
}) {
  const token = processes === null ? null : randomBytes(24).toString('base64url');
  const index = readFileSync(`${home}/index.html`, 'utf8');
  let origins = [];
  let urls = [];
  const answer = async (request, response) => {
    // A name that somebody else pointed at this machine is not this page's.
    const origin = origins.find((one) => one === `http://${request.headers.host}`);
    if (origin === undefined) throw refused('unknown host');
    const { hostname } = new URL(origin);
    const isHere = !others.includes(hostname) && isLoopback(request.socket.remoteAddress);
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname.startsWith('/processes')) {
      if (!isHere) throw refused('only on the machine that runs the members');
      return command(request, response, pathname);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') throw refused('only GET', 405);
    if (pathname === '/') return send(response, 200, types['.html'], pageFor(hostname, isHere));
    if (pathname === '/left') return send(response, 200, types['.html'], leftPage);
    if (pathname === '/phone.svg' && urls.length > 0) {
      return send(response, 200, types['.svg'], await codeOf(urls[0]));
    }
    const file = files.get(pathname);
    if (file === undefined) throw refused('nothing here', 404);
    return send(response, 200, file.type, file.body);
  };

  const pageFor = (hostname, isHere) => {
    const config = {
      network:
        network === null
          ? null
          : { ...network, relays: relaysFor(hostname), token: isHere ? token : null },
      phone: isHere ? (urls[0] ?? null) : null,
    };
    // No text in a script element may look like its end.
    const json = JSON.stringify(config).replaceAll('<', '\\u003c');
    return index.replace(
      '<script type="application/json" id="config"></script>',
      () => `<script type="application/json" id="config">${json}</script>`,
    );
  };

  const command = async (request, response, pathname) => {
    const { origin } = request.headers;
    if (processes === null) throw refused('nothing here', 404);
    if (!sameText(String(request.headers['x-demo-token'] ?? ''), token)) throw refused('no token');
    if (origin !== undefined && !isOwn(origin)) throw refused('foreign origin');
    if (pathname === '/processes' && request.method === 'GET') {
      return send(response, 200, types['.json'], JSON.stringify(await processes.list()));
    }
    const match = /^\/processes\/([a-z0-9-]+)\/(kill|start)$/.exec(pathname);
    if (match === null) throw refused('nothing here', 404);
    if (request.method !== 'POST') throw refused('only POST', 405);
    if (origin === undefined) throw refused('no origin');
    const [, label, action] = match;
    const result = await processes[action](label);
    return send(response, 200, types['.json'], JSON.stringify(result));
  };
  const isOwn = (origin) => origins.includes(origin) && !urls.includes(origin);

  const servers = [];
  const close = async () => {
    await Promise.all(servers.map((server) => end(server)));
  };
  let actual = port;
  try {
    for (const host of ['127.0.0.1', ...others]) {
      const server = createServer((request, response) => {
        answer(request, response).catch((error) => {
          send(response, error.status ?? 500, 'text/plain', error.message);
        });
      });
      await listen(server, actual, host);
      servers.push(server);
      actual = server.address().port;
    }
  } catch (error) {
    await close();
    throw error;
  }
  urls = others.map((host) => `http://${host}:${actual}`);
  origins = ['localhost', '127.0.0.1'].map((host) => `http://${host}:${actual}`).concat(urls);
  return { url: `http://localhost:${actual}`, urls, port: actual, close };
}

/** The address as a picture for a phone's camera; dark on light, whatever the page's colours. */
async function codeOf(url) {
  const { renderSVG } = await import('uqr');
  return renderSVG(url, { border: 3 });
}

function listen(server, port, host) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function end(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

function send(response, status, type, body) {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

function refused(message, status = 403) {
  return Object.assign(new Error(message), { status });
}

function sameText(given, wanted) {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

// The clock of a page is a worker made of text; relays are anywhere.
const policy = [
  "default-src 'self'",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data:",
  "worker-src 'self' blob:",
  "frame-ancestors 'none'",
].join('; ');

/** Where a tab goes that its browser lets no script close. */
const leftPage = `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <title>Left · Quorate</title>
  <link rel="icon" href="data:," />
  <link rel="stylesheet" href="/style.css" />
  <body>
    <main class="parted">
      <h1>This tab has left the cluster</h1>
      <p>Its crown went to another tab. Look there, or <a href="/">come back</a>.</p>
    </main>
  </body>
</html>
`;
