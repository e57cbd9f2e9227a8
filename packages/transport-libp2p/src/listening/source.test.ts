import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { TrustedProxies, sourceOf } from './source.ts';

function requestWith(forwardedFor: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.headers['x-forwarded-for'] = forwardedFor;
  return request;
}

describe('sourceOf()', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:7::1', '2001:db8:0:7::/64'],
    ['2001:0DB8:0000:0007:1:2:3:4', '2001:db8:0:7::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::2', '0:0:0:0::/64'],
    ['127.0.0.1', null],
    ['::ffff:127.8.8.8', null],
    ['::1', null],
  ])('T24 counts %s as %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});

describe('TrustedProxies', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1']);

  test.each([
    ['10.9.8.7', true],
    ['::ffff:10.9.8.7', true],
    ['192.0.2.1', true],
    ['192.0.2.2', false],
    ['2001:db8:1::1', true],
    ['2001:db9::1', false],
    ['::1', true],
    ['nobody', false],
  ])('T24 trusts %s: %s', (address, isTrusted) => {
    expect(proxies.has(address)).toBe(isTrusted);
  });

  test.each([
    ['198.51.100.7', '10.0.0.1', '198.51.100.7'],
    ['1.1.1.1, 198.51.100.7', '10.0.0.1', '198.51.100.7'],
    ['1.1.1.1,198.51.100.7 , 10.2.2.2', '10.0.0.1', '198.51.100.7'],
    ['198.51.100.7:1234', '10.0.0.1', '198.51.100.7'],
    ['[2001:db9::7]:1234, 2001:db8::1', '10.0.0.1', '2001:db9::7'],
    ['::ffff:198.51.100.7', '10.0.0.1', '198.51.100.7'],
    // Whoever comes by itself says nothing of others.
    ['198.51.100.7', '203.0.113.5', '203.0.113.5'],
    ['unknown', '10.0.0.1', '10.0.0.1'],
    ['1.1.1.1, unknown, 10.2.2.2', '10.0.0.1', '10.2.2.2'],
    ['', '10.0.0.1', '10.0.0.1'],
  ])('T24 %s by way of %s is a request of %s', (header, peer, client) => {
    expect(proxies.clientOf(requestWith(header), peer)).toBe(client);
  });
});
