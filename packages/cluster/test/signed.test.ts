/** Members whose replicas have keys (Z39), among others who hold the secret too. */
import { createPlainSigner } from '@quorate/contracts/memory';
import { describe, expect, test } from 'vitest';
import { encodeHello } from '../src/links/hello.ts';
import type { Member } from '../src/member/member.ts';
import { Liar } from './liar.ts';
import { World } from './world.ts';

const three = ['l1', 'l2', 'l3'] as const;

describe('Z39, signed runs', () => {
  test('Z39 a cluster of replicas with keys: founded, restarted, each run signed anew', async () => {
    const world = new World({}, createPlainSigner());
    const members = (await world.cluster(three)) as [Member, Member, Member];
    await world.append(members[0], 'before');
    for (const member of members) {
      const { run } = world.disk(member).contents;
      expect(run?.key).toMatch(/^[0-9a-f]{64}$/);
      expect(run?.nodeId).toBe(member.status.nodeId);
    }
    const proofs = new Set(members.map((member) => String(member.facts().proof)));
    await world.wait(members[0].close());
    const again = world.member('l1');
    void again.start();
    await world.ready([again]);
    expect(again.nodeId).toBe(world.disk(again).contents.run?.nodeId);
    expect(proofs.has(String(again.facts().proof))).toBe(false);
    await world.append(again, 'after');
    expect(await world.read(members[1])).toEqual(['before', 'after']);
  });

  test('Z39 the key leaves the store for nobody: no hello holds it', async () => {
    const world = new World({}, createPlainSigner());
    const [member] = (await world.cluster(['l1'])) as [Member];
    const key = world.disk(member).contents.run?.key ?? '';
    expect(key).toHaveLength(64);
    const said = encodeHello({
      ...{ host: 'h', addresses: [], runs: [member.facts()], leader: null, acquaintances: [] },
      ...{ witnesses: [], refused: [], present: [], heard: [] },
      link: { random: '', earlier: [] },
    });
    expect(new TextDecoder('latin1').decode(said)).not.toContain(key);
  });

  test('Z39 who holds the secret and not the key cannot take the place of who is away', async () => {
    const world = new World({}, createPlainSigner());
    const members = (await world.cluster(three)) as [Member, Member, Member];
    const [gone, ...rest] = members;
    await world.append(gone, 'before');
    await world.clock.advance(1_000);
    const { run } = world.disk(gone).contents;
    await world.wait(gone.close());
    const liar = new Liar(world, rest[0], {
      ...{ nodeId: run?.nodeId ?? '', epoch: (run?.epoch ?? 0) + 1, nonce: 'ef'.repeat(8) },
      past: [run?.nonce ?? ''],
      opening: { term: 2 ** 40, votedFor: null, lastIndex: 2 ** 40 },
    });
    void liar.meet(world, []);
    await world.clock.advance(10_000);
    for (const member of rest) expect(liar.isLinked(member)).toBe(false);
    await liar.close();
    const again = world.member('l1');
    void again.start();
    await world.ready([again]);
    expect(again.failure).toBeNull();
    await world.append(again, 'after');
  });
});
