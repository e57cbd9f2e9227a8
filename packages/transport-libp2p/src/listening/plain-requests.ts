/** What a listener says to whoever asks by HTTP instead of WebSocket: a person, a probe, a scraper. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export type Page = { readonly status: number; readonly type: string; readonly body: string };

/** By path. Each is asked anew. */
export type Pages = ReadonlyMap<string, () => Page>;

export const plainText = 'text/plain; charset=utf-8';

/** Answers and ends the connection: nobody has a second question. */
export function answerPlainly(
  pages: Pages,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { status, type, body } = pageFor(pages, request);
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    connection: 'close',
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  // Of a HEAD request Node sends the headers alone.
  response.end(bytes);
}

function pageFor(pages: Pages, { method, url = '/' }: IncomingMessage): Page {
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, type: plainText, body: 'Only GET and HEAD are answered here.\n' };
  }
  const [path = '/'] = url.split('?');
  const page = pages.get(path);
  return page?.() ?? { status: 404, type: plainText, body: 'There is nothing here.\n' };
}
