import { expect, test } from 'vitest';
import { kindOf, parseAddress, parseRelay, readable } from './addresses.ts';

test('parseAddress() reads URLs and multiaddrs', () => {
  const read = (text: string): string => parseAddress(text).toString();
  expect(read('ws://127.0.0.1:7700')).toBe('/ip4/127.0.0.1/tcp/7700/ws');
  expect(read('ws://relay.example')).toBe('/dns/relay.example/tcp/80/ws');
  expect(read('wss://relay.example')).toBe('/dns/relay.example/tcp/443/tls/ws');
  expect(read('wss://relay.example:8443/')).toBe('/dns/relay.example/tcp/8443/tls/ws');
  expect(read('ws://[::1]:7700')).toBe('/ip6/::1/tcp/7700/ws');
  expect(read('/ip4/10.0.0.1/tcp/1/ws')).toBe('/ip4/10.0.0.1/tcp/1/ws');
});

test('parseAddress() throws TypeError for what it cannot use', () => {
  for (const wrong of [
    '',
    'relay',
    'http://x',
    'ws://host/path',
    '/ip4/1.2.3/tcp/x',
    '/nonsense',
  ]) {
    expect(() => parseAddress(wrong), wrong).toThrow(TypeError);
  }
});

test('parseRelay() reads a pinned group', () => {
  const group = 'ab'.repeat(16);
  expect(parseRelay(`wss://relay.example#${group}`)).toMatchObject({
    text: 'wss://relay.example',
    group,
  });
  expect(parseRelay('wss://relay.example').group).toBeNull();
  expect(() => parseRelay('wss://relay.example#short')).toThrow(TypeError);
});

test('readable() leaves out what cannot be read, kindOf() names the path', () => {
  expect(readable(['/ip4/1.2.3.4/tcp/1/ws', 'garbage', '']).length).toBe(1);
  const kind = (text: string): string => kindOf(parseAddress(text));
  expect(kind('/ip4/1.2.3.4/tcp/1/ws')).toBe('websocket');
  expect(kind('/dns/a.example/tcp/443/tls/ws')).toBe('websocket');
  expect(kind('/ip4/1.2.3.4/tcp/1')).toBe('tcp');
  expect(
    kind(
      '/ip4/1.2.3.4/tcp/1/ws/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust/p2p-circuit',
    ),
  ).toBe('relayed');
});
