import { expect, test } from 'vitest';
import { isLoopback, privateAddresses } from './local-network.mjs';

const at = (address, more = {}) => ({ family: 'IPv4', internal: false, address, ...more });

test('privateAddresses() names home networks first, and nothing that the world can reach', () => {
  const found = privateAddresses({
    lo: [at('127.0.0.1', { internal: true })],
    eth0: [at('10.1.2.3'), at('203.0.113.9'), at('fe80::1', { family: 'IPv6' })],
    docker0: [at('172.17.0.1')],
    wlan0: [at('192.168.1.5'), at('172.31.0.2'), at('172.32.0.2')],
  });
  expect(found).toEqual(['192.168.1.5', '10.1.2.3', '172.31.0.2']);
});

test('privateAddresses() names an address once, and none where there is none', () => {
  expect(privateAddresses({ a: [at('10.0.0.1')], b: [at('10.0.0.1')] })).toEqual(['10.0.0.1']);
  expect(privateAddresses({ lo: [at('127.0.0.1', { internal: true })] })).toEqual([]);
});

test('isLoopback() knows this machine by all of its names, and nobody else', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', 'localhost']) {
    expect(isLoopback(host)).toBe(true);
  }
  for (const host of ['192.168.1.5', '::ffff:10.0.0.1', '127.0.0.1.example', undefined]) {
    expect(isLoopback(host)).toBe(false);
  }
});
