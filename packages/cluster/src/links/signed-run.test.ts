import { createPlainSigner } from '@quorate/contracts/memory';
import { describe, expect, test } from 'vitest';
import { branch } from '../../test/branches.ts';
import { Bench, FakeReplica } from '../../test/host-bench.ts';
import { seededBytes } from '../../test/manual-clock.ts';
import { SignedRuns } from './signed-run.ts';

describe('Z39, replicas with keys', () => {
  /** A replica with a key, as run `word` at `host`. */
  function withKey(signedRuns: SignedRuns, seed: number, word: string, host: string): FakeReplica {
    const { nodeId: id, key } = signedRuns.create(seededBytes(seed));
    const replica = new FakeReplica('0', word, id);
    replica.proof = signedRuns.proof(key, replica.facts(), host);
    return replica;
  }

  test('Z39 a run that its replica signed at this host is heard; no other is', async () => {
    const bench = new Bench();
    const signedRuns = new SignedRuns(createPlainSigner());
    const own = withKey(signedRuns, 1, 'x', 'B');
    const hostB = await bench.host('B', [own], { signedRuns });
    const honest = withKey(signedRuns, 2, 'xx', 'A');
    const hostA = await bench.host('A', [honest], { signedRuns });
    await bench.clock.advance(50);
    expect(hostB.isLinked(honest.nodeId)).toBe(true);
    await hostA.close();
    const unsigned = new FakeReplica('0', 'xxy', honest.nodeId);
    const elsewhere = withKey(signedRuns, 2, 'xxy', 'A');
    const others = withKey(signedRuns, 3, 'xxy', 'E');
    const stolen = new FakeReplica('0', 'xxy', honest.nodeId);
    stolen.proof = others.proof;
    for (const [i, forged] of [unsigned, elsewhere, stolen].entries()) {
      const name = forged === stolen ? 'E' : `Z${i}`;
      const host = await bench.host(name, [forged], { signedRuns });
      await bench.clock.advance(3_000);
      expect(hostB.isLinked(forged.nodeId)).toBe(false);
      await host.close();
    }
    expect(hostB.witnesses.of(honest.nodeId)).toMatchObject({ epoch: 2, nonce: 'x2' });
    expect(new Set(bench.codes('B'))).toEqual(new Set(['BAD_REQUEST']));
    // And the honest one's next run is its successor.
    const next = withKey(signedRuns, 2, 'xxx', 'A2');
    await bench.host('A2', [next], { signedRuns });
    await bench.clock.advance(3_000);
    expect(hostB.linkedRuns().map(({ facts }) => facts.nonce)).toEqual(['x3']);
  });

  test('Z39 what a voter tells of a run that was never signed ends nobody, and is not taken over', async () => {
    const bench = new Bench();
    const signedRuns = new SignedRuns(createPlainSigner());
    const [a, b] = [withKey(signedRuns, 1, 'xxx', 'A'), withKey(signedRuns, 2, 'x', 'B')];
    for (const replica of [a, b]) replica.knows = () => true;
    const c = withKey(signedRuns, 3, 'x', 'C');
    const hostB = await bench.host('B', [b], { signedRuns });
    // It made up another branch of A's replica, and that B is refused.
    hostB.witnesses.met({ ...a.facts(), ...branch('xxy'), proof: a.proof }, 'Z');
    hostB.witnesses.refuse({ ...c.facts(), ...branch('y'), proof: null }, 'REPLICA_CLONED', 'Z');
    const hostA = await bench.host('A', [a], { signedRuns });
    await bench.clock.advance(3_000);
    expect(a.charges).toEqual([]);
    expect(hostA.witnesses.refused).toEqual([]);
  });

  test('Z39 a signed fork ends who is of it, and a refusal begins no earlier than what is signed', async () => {
    const bench = new Bench();
    const signedRuns = new SignedRuns(createPlainSigner());
    const [a, b] = [withKey(signedRuns, 1, 'xxx', 'A'), withKey(signedRuns, 2, 'x', 'B')];
    for (const replica of [a, b]) replica.knows = () => true;
    a.incumbent = false;
    const hostB = await bench.host('B', [b], { signedRuns });
    const fork = withKey(signedRuns, 1, 'xxy', 'Z');
    hostB.witnesses.met(fork.facts(), 'Z');
    const clone = withKey(signedRuns, 3, 'zzzz', 'Y');
    // Its root is run 1, which no signature of it names: only its tip is taken over.
    hostB.witnesses.refuse(clone.facts(), 'REPLICA_CLONED', 'Y', {
      ...branch('yyyy'),
      host: 'X',
    });
    expect(hostB.witnesses.refused[0]?.root.epoch).toBe(1);
    const hostA = await bench.host('A', [a], { signedRuns });
    await bench.clock.advance(3_000);
    expect(a.charges[0]?.others).toContainEqual({ epoch: 3, nonce: 'y3' });
    expect(hostA.isLinked(b.nodeId)).toBe(false);
    // Whom nobody accuses hears the rest.
    const c = withKey(signedRuns, 4, 'x', 'C');
    c.knows = () => true;
    const hostC = await bench.host('C', [c], { signedRuns });
    await bench.clock.advance(3_000);
    const adopted = hostC.witnesses.refused.find(({ nodeId }) => nodeId === clone.nodeId);
    expect(adopted?.root).toEqual({ epoch: 4, nonce: 'z4' });
  });
});
