/**
 * Long answers, written part by part as the connection takes them: nothing is made before what came
 * before it has left, so that neither end holds more than a part.
 */
import { toJsonValue } from '@quorate/client';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/**
 * Streams `parts` and ends the answer. Rejects for what fails before anything was sent, which is then
 * the answer; and later, when the connection is to be broken, for half an answer is none. A reader that
 * takes nothing for `stallMs` is given up.
 */
export async function streamBody(
  response: ServerResponse,
  contentType: string,
  parts: AsyncIterable<Uint8Array | string>,
  gone: AbortSignal,
  stallMs: number = stallMsDefault,
): Promise<void> {
  for await (const part of parts) {
    if (!response.headersSent) response.writeHead(200, { 'content-type': contentType });
    await send(response, part, gone, stallMs);
  }
  if (!response.headersSent) response.writeHead(200, { 'content-type': contentType });
  response.end();
}

/**
 * Writes one part and resolves once the next one may follow. Rejects when the connection is gone or its
 * reader takes nothing for `stallMs`.
 */
export async function send(
  response: ServerResponse,
  part: Uint8Array | string,
  gone: AbortSignal,
  stallMs: number = stallMsDefault,
): Promise<void> {
  if (response.write(part)) return;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), stallMs);
  try {
    await once(response, 'drain', { signal: AbortSignal.any([gone, late.signal]) });
  } finally {
    clearTimeout(timer);
  }
  // A connection that takes everything at once must not keep heartbeats and other callers waiting.
  await new Promise((resolve) => setImmediate(resolve));
}

/** Entries as lines of JSON, joined into parts worth writing. */
export async function* exportLines(
  entries: AsyncIterable<{ readonly key: string; readonly value: unknown }>,
): AsyncGenerator<string, undefined> {
  let lines = '';
  for await (const { key, value } of entries) {
    lines += `${JSON.stringify({ key, value: toJsonValue(value) })}\n`;
    if (lines.length < partLength) continue;
    yield lines;
    lines = '';
  }
  if (lines !== '') yield lines;
}

const stallMsDefault = 60_000;
const partLength = 64 * 1024;
