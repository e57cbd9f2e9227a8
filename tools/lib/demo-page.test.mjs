import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { servePage } from './demo-page.mjs';

const done = [];
const processes = {
  list: async () => [{ label: 'node-1', state: 'running' }],
  kill: async (label) => {
    if (label !== 'node-1') throw Object.assign(new Error(`no member ${label}`), { status: 404 });
    done.push(label);
    return { goneAtMs: 1 };
  },
  start: async () => ({}),
};
let site;
let token;

beforeAll(async () => {
  const network = { namespace: 'demo', relays: ['ws://127.0.0.1:1'], secret: '</script>' };
  site = await servePage({ files: new Map(), port: 0, network, processes });
  const { body } = await ask('GET', '/');
  const config = JSON.parse(/id="config">(.*?)<\/script>/s.exec(body)[1]);
  expect(config.network).toMatchObject(network);
  token = config.network.token;
});

afterAll(() => site.close());

/** Resolves with what came back; `headers` may say anything, as another program's may. */
function ask(method, path, headers = {}) {
  return new Promise((resolve, reject) => {
    request({
      host: '127.0.0.1',
      port: site.port,
      method,
      path,
      headers: { host: `localhost:${site.port}`, ...headers },
    })
      .on('error', reject)
      .on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode, body }));
      })
      .end();
  });
}

function own() {
  return { origin: site.url, 'x-demo-token': token };
}

test('servePage() lets its own page see and kill members', async () => {
  expect((await ask('GET', '/processes', { 'x-demo-token': token })).status).toBe(200);
  const { status, body } = await ask('POST', '/processes/node-1/kill', own());
  expect({ status, body: JSON.parse(body) }).toEqual({ status: 200, body: { goneAtMs: 1 } });
  expect(done).toEqual(['node-1']);
});

test.each([
  ['without a token', (headers) => ({ ...headers, 'x-demo-token': '' })],
  ['with another token', (headers) => ({ ...headers, 'x-demo-token': 'x'.repeat(32) })],
  ['from another origin', (headers) => ({ ...headers, origin: 'https://elsewhere.example' })],
  ['without an origin', ({ 'x-demo-token': only }) => ({ 'x-demo-token': only })],
  ['by another name of this machine', (headers) => ({ ...headers, host: 'rebound.example' })],
])('servePage() kills nothing %s', async (_, change) => {
  const before = done.length;
  expect((await ask('POST', '/processes/node-1/kill', change(own()))).status).toBe(403);
  expect(done).toHaveLength(before);
});

test('servePage() knows no other member, no other deed, and no page but its own', async () => {
  expect((await ask('POST', '/processes/node-9/kill', own())).status).toBe(404);
  expect((await ask('POST', '/processes/node-1/erase', own())).status).toBe(404);
  expect((await ask('GET', '/processes/node-1/kill', own())).status).toBe(405);
  expect((await ask('GET', '/../package.json')).status).toBe(404);
});

test('servePage() offers no processes where there are none', async () => {
  const alone = await servePage({ files: new Map(), port: 0 });
  const response = await fetch(`${alone.url.replace('localhost', '127.0.0.1')}/processes`);
  expect(response.status).toBe(404);
  await alone.close();
});
