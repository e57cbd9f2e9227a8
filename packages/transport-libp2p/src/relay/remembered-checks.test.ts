import { expect, test } from 'vitest';
import { RememberedChecks } from './remembered-checks.ts';

const topic = 'ab'.repeat(32);
const record = (text: string): Uint8Array => new TextEncoder().encode(text);

function checks(remembered?: number): { checks: RememberedChecks; looked: string[] } {
  const looked: string[] = [];
  const verify = (...[, purpose, version, bytes]: Parameters<RememberedChecks['verify']>) => {
    const text = new TextDecoder().decode(bytes);
    looked.push(`${purpose} ${version} ${text}`);
    return text.startsWith('good');
  };
  return { checks: new RememberedChecks(verify, remembered), looked };
}

test('T25: a record that was found good is not looked at again, in that place and version', () => {
  const { checks: remembered, looked } = checks();
  for (let turn = 0; turn < 3; turn += 1) {
    expect(remembered.verify(topic, 'announce', 1, record('good'))).toBe(true);
  }
  expect(looked).toEqual(['announce 1 good']);
  expect(remembered.knows(topic, 'announce', 1, record('good'))).toBe(true);
  expect(remembered.knows(topic, 'register', 1, record('good'))).toBe(false);
  expect(remembered.knows(topic, 'announce', 2, record('good'))).toBe(false);
  expect(remembered.knows('cd'.repeat(32), 'announce', 1, record('good'))).toBe(false);
  expect(remembered.knows(topic, 'announce', 1, record('good!'))).toBe(false);
});

test('T25: what was found wrong is wrong each time, and takes nobody’s place', () => {
  const { checks: remembered, looked } = checks(2);
  remembered.verify(topic, 'announce', 1, record('good'));
  for (let turn = 0; turn < 5; turn += 1) {
    expect(remembered.verify(topic, 'announce', turn, record('bad'))).toBe(false);
  }
  expect(looked).toHaveLength(6);
  expect(remembered.knows(topic, 'announce', 1, record('good'))).toBe(true);
});

test('T25: of many the one used longest ago is forgotten', () => {
  const { checks: remembered } = checks(2);
  const look = (version: number) => remembered.verify(topic, 'announce', version, record('good'));
  const known = () =>
    [1, 2, 3].filter((one) => remembered.knows(topic, 'announce', one, record('good')));
  look(1);
  look(2);
  look(1);
  look(3);
  expect(known()).toEqual([1, 3]);
});
