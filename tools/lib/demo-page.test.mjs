import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { servePage } from './demo-page.mjs';
import { privateAddresses } from './local-network.mjs';

/** Where another device would find this machine, or what stands for it. */
const away = privateAddresses()[0] ?? '127.0.0.2';
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
  site = await servePage({
    files: new Map(),
    port: 0,
    others: [away],
    network: { namespace: 'demo', secret: '</script>' },
    relaysFor: (host) => [`ws://${host}:1`],
    processes,
  });
  const { network, phone } = await configAt(`localhost:${site.port}`);
  expect(network).toMatchObject({ namespace: 'demo', secret: '</script>' });
  expect(network.relays).toEqual(['ws://localhost:1']);
  expect(phone).toBe(`http://${away}:${site.port}`);
  token = network.token;
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

async function configAt(host) {
  const { body } = await ask('GET', '/', { host });
  return JSON.parse(/id="config">(.*?)<\/script>/s.exec(body)[1]);
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
  ['by the address for others', (headers) => ({ ...headers, host: `${away}:${site.port}` })],
  ['from the page for others', (headers) => ({ ...headers, origin: site.urls[0] })],
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

test('servePage() shows another device the way to the relay, and no switches', async () => {
  const { network, phone } = await configAt(`${away}:${site.port}`);
  expect(network).toMatchObject({ relays: [`ws://${away}:1`], token: null });
  expect(phone).toBeNull();
  const response = await fetch(`${site.urls[0]}/phone.svg`);
  expect(response.headers.get('content-type')).toBe('image/svg+xml');
  expect(await response.text()).toContain('<svg');
});

test('servePage() offers no processes where there are none', async () => {
  const alone = await servePage({ files: new Map(), port: 0 });
  const response = await fetch(`${alone.url.replace('localhost', '127.0.0.1')}/processes`);
  expect(response.status).toBe(404);
  await alone.close();
});
