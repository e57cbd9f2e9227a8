import { expect, test } from 'vitest';
import { failureDomain } from './domain.ts';

test('Z16 failureDomain() puts the zone in front of what lies in it', () => {
  expect(failureDomain(undefined, 'host a')).toBe('host a');
  expect(failureDomain('eu-1', 'host a')).toBe('zone eu-1/host a');
  expect(failureDomain('eu-1', 'h'.repeat(300))).toHaveLength(128);
});
