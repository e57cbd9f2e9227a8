/** Answers: many ranges without a limit at once, over a small state and over a large one. */
import { connectClient } from '@quorate/client';
import type { Cluster } from '../processes.ts';
import { tally } from './tally.ts';
import type { Tally } from './tally.ts';

/** Brings the state to `count` values of `bytes`. */
export async function fill(cluster: Cluster, count: number, bytes: number): Promise<void> {
  const client = connectClient({ url: cluster.nodes[0]?.gateway ?? '', timeoutMs: 60_000 });
  await client.kv.delete({ prefix: '' });
  for (let at = 0; at < count; at++) {
    await client.kv.put(`filled/${String(at).padStart(6, '0')}`, 'x'.repeat(bytes));
  }
  client.close();
}

/** All of them in one request, as a client's calls of one turn travel. */
export async function rangesInOneRequest(cluster: Cluster, count: number): Promise<Tally> {
  const call = { name: 'range', request: { prefix: '' }, timeoutMs: 60_000 };
  const answers = tally();
  const response = await post(cluster, 'calls', { calls: Array(count).fill(call) });
  // Only what an answer begins with is looked at: the bench would need the memory that is measured.
  for await (const head of lineHeads(response)) answers.add(codeIn(head));
  answers.missing(count);
  return answers;
}

/** Each on a connection of its own, page after page. */
export async function rangesByPages(cluster: Cluster, count: number): Promise<Tally> {
  const answers = tally();
  const all = async (): Promise<string> => {
    for (let after: string | undefined; ;) {
      const response = await post(cluster, 'range', { prefix: '', after });
      const text = await response.text();
      if (!response.ok) return codeIn(text);
      after = /"more":true.*"after":"([^"]*)"/.exec(text.slice(-200))?.[1];
      if (after === undefined) return 'OK';
    }
  };
  await Promise.all(
    Array.from({ length: count }, async () => {
      answers.add(await all().catch((error: unknown) => String(error)));
    }),
  );
  return answers;
}

async function post(cluster: Cluster, name: string, body: unknown): Promise<Response> {
  return fetch(`${cluster.nodes[0]?.gateway ?? ''}/v1/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'quorate-timeout-ms': '60000' },
    body: JSON.stringify(body),
  });
}

async function* lineHeads(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let head = '';
  let isNew = true;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(newline, from);
      const part = chunk.subarray(from, end === -1 ? chunk.length : end);
      if (isNew || head.length < headLength) head += decoder.decode(part.subarray(0, headLength));
      isNew = false;
      if (end === -1) break;
      yield head;
      head = '';
      isNew = true;
      from = end + 1;
    }
  }
}

function codeIn(text: string): string {
  return /"error":\{"code":"([A-Z_]+)"/.exec(text)?.[1] ?? 'OK';
}

const newline = 10;
const headLength = 100;
