import { expect, test } from 'vitest';
import { canDialFromPage } from './dialable.ts';

const loopback = '/ip4/127.0.0.1/tcp/7900/ws/p2p/x';
const lan = '/ip4/192.168.1.5/tcp/7900/ws/p2p/x';
const secure = '/dns/member.example/tcp/443/tls/ws/p2p/x';
const place = (protocol: string, hostname: string) => ({ protocol, hostname });

test('canDialFromPage() tries loopback only from a page of this machine', () => {
  expect(canDialFromPage(loopback, place('http:', 'localhost'))).toBe(true);
  expect(canDialFromPage(loopback, place('http:', '[::1]'))).toBe(true);
  expect(canDialFromPage(loopback, place('http:', '192.168.1.5'))).toBe(false);
  expect(canDialFromPage(loopback, place('https:', 'app.example'))).toBe(false);
});

test('canDialFromPage() tries no socket in clear from a secure page', () => {
  expect(canDialFromPage(lan, place('https:', 'app.example'))).toBe(false);
  expect(canDialFromPage(secure, place('https:', 'app.example'))).toBe(true);
  expect(canDialFromPage(lan, place('http:', '192.168.1.9'))).toBe(true);
  expect(canDialFromPage(lan, place('http:', 'localhost'))).toBe(true);
});

test('canDialFromPage() tries nothing but WebSockets', () => {
  expect(canDialFromPage('/ip4/192.168.1.5/tcp/7900', place('http:', 'localhost'))).toBe(false);
});
