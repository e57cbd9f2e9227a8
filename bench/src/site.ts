/** A page with the built library, for browsers to load. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export type Site = {
  readonly url: string;
  close(): Promise<void>;
};

const dist = fileURLToPath(new URL('../../packages/quorate/dist/', import.meta.url));

/** Rejects where the library was not built. */
export async function startSite(programFile: 'tabs-page.ts' | 'network-page.ts'): Promise<Site> {
  const program = await readFile(new URL(programFile, import.meta.url), 'utf8');
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  await readFile(`${dist}quorate.js`);
  const answer = async (path: string): Promise<readonly [string, string]> => {
    if (path === '/') return ['text/html', pageWith(outputText)];
    return ['text/javascript', await readFile(`${dist}${basename(path)}`, 'utf8')];
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    answer(pathname).then(
      ([type, body]) => {
        response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
        response.end(body);
      },
      () => {
        response.writeHead(404);
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The program stands in the page, as in the README. */
function pageWith(program: string): string {
  return `<!doctype html><title>bench</title>
<script>globalThis.startedAt = performance.now()</script>
<script type="importmap">{ "imports": { "quorate": "/quorate.js" } }</script>
<script type="module">${program}</script>`;
}
