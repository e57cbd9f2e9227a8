import { expect, test } from 'vitest';
import { dialAddress, listenAddress } from './addresses.ts';

test.each([
  ['127.0.0.1:7700', 'ws://127.0.0.1:7700'],
  ['relay.internal:80', 'ws://relay.internal:80'],
  ['[::1]:7700', 'ws://[::1]:7700'],
  ['wss://relay.example.com', 'wss://relay.example.com'],
  ['/ip4/127.0.0.1/tcp/1/ws', '/ip4/127.0.0.1/tcp/1/ws'],
])('dialAddress() %s → %s', (text, address) => {
  expect(dialAddress(text)).toBe(address);
});

test.each([
  ['7700', 'ws://0.0.0.0:7700'],
  [':7700', 'ws://0.0.0.0:7700'],
  ['localhost:7700', 'ws://127.0.0.1:7700'],
  ['10.0.0.1:7700', 'ws://10.0.0.1:7700'],
])('listenAddress() %s → %s', (text, address) => {
  expect(listenAddress(text)).toBe(address);
});

test.each(['', 'host', 'a b:1', '::1:7700', 'host:port'])('%j is refused', (text) => {
  expect(() => dialAddress(text)).toThrow(/wanted HOST:PORT/);
});
