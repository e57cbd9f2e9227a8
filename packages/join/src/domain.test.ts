import { expect, test } from 'vitest';
import { checkZone, failureDomain } from './domain.ts';

test('Z16 failureDomain() puts the zone in front of what lies in it', () => {
  expect(failureDomain(undefined, 'host a')).toBe('host a');
  expect(failureDomain('eu-1', 'host a')).toBe('zone eu-1/host a');
  expect(failureDomain('eu-1', 'h'.repeat(300))).toHaveLength(128);
});

test('checkZone() takes names, and nothing that could pass for two', () => {
  for (const zone of [undefined, 'eu-1', 'rack_7.b', 'Z'.repeat(48)]) checkZone(zone);
  for (const zone of ['', 'a/b', 'a b', 'Z'.repeat(49), 7, null]) {
    expect(() => checkZone(zone)).toThrow(/^Cannot join in zone /);
  }
});
