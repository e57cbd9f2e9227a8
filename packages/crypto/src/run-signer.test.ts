import { describe, expect, test } from 'vitest';
import { runSigner } from './run-signer.ts';

const random =
  (fill: number) =>
  (count: number): Uint8Array =>
    new Uint8Array(count).fill(fill);
const statement = new TextEncoder().encode('run 7');

describe('runSigner', () => {
  test('Z39 a NodeId is the hash of the public key: with another key nobody speaks for it', () => {
    const [a, b] = [runSigner.create(random(1)), runSigner.create(random(2))];
    expect(a.nodeId).toMatch(/^[0-9a-f]{32}$/);
    expect(a.nodeId).not.toBe(b.nodeId);
    expect(runSigner.create(random(1))).toEqual(a);
    expect(runSigner.verify(a.nodeId, statement, runSigner.sign(a.key, statement))).toBe(true);
    expect(runSigner.verify(a.nodeId, statement, runSigner.sign(b.key, statement))).toBe(false);
    expect(runSigner.verify(b.nodeId, statement, runSigner.sign(a.key, statement))).toBe(false);
  });

  test('Z39 a proof is of its statement, to the last bit, and damage never throws', () => {
    const { nodeId, key } = runSigner.create(random(1));
    const proof = runSigner.sign(key, statement);
    expect(proof.length).toBe(96);
    expect(runSigner.verify(nodeId, new TextEncoder().encode('run 8'), proof)).toBe(false);
    for (let at = 0; at < proof.length; at++) {
      const damaged = Uint8Array.from(proof);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(runSigner.verify(nodeId, statement, damaged)).toBe(false);
    }
    for (const length of [0, 1, 95, 97]) {
      expect(runSigner.verify(nodeId, statement, new Uint8Array(length).fill(255))).toBe(false);
    }
    expect(runSigner.verify(nodeId, statement, new Uint8Array(96).fill(255))).toBe(false);
  });
});
