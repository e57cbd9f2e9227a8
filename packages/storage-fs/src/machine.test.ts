import { expect, test } from 'vitest';
import { machineIdOf } from './node-file-system.ts';

test('T29 Z5 a machine that was renamed is the same one; another id is another machine', () => {
  const id = '0123456789abcdef0123456789abcdef';
  expect(machineIdOf(id, 'before')).toBe(machineIdOf(id, 'after'));
  expect(machineIdOf(id, 'before')).not.toBe(machineIdOf('f'.repeat(32), 'before'));
  // Without an id the name is all there is.
  expect(machineIdOf('', 'before')).not.toBe(machineIdOf('', 'after'));
  expect(machineIdOf('', id)).not.toBe(machineIdOf(id, ''));
});
