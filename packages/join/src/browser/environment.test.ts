import { expect, test } from 'vitest';
import { checkEnvironment, whyNoDisk } from './environment.ts';
import type { Environment } from './environment.ts';

/** Only what is asked of. */
function environment(of: Partial<Environment>): Environment {
  return { isSecure: true, locks: {}, indexedDB: {}, ...of } as Environment;
}

test('whyNoDisk() is silent where a replica can be kept', () => {
  expect(whyNoDisk(environment({}))).toBeNull();
});

test('whyNoDisk() blames the address before the browser, which gives such pages no locks', () => {
  const insecure = environment({ isSecure: false, locks: undefined });
  expect(whyNoDisk(insecure)).toContain('not from https or localhost');
  expect(() => checkEnvironment(insecure)).toThrow(/not from https or localhost$/);
});

test.each<[string, Partial<Environment>]>([
  ['Web Locks', { locks: undefined }],
  ['IndexedDB', { indexedDB: undefined }],
])('checkEnvironment() names what a secure page lacks: %s', (name, lacks) => {
  expect(whyNoDisk(environment(lacks))).toContain(name);
  expect(() => checkEnvironment(environment(lacks))).toThrow(name);
});
