import { describe, expect, test } from 'vitest';
import type { Message } from '../src/index.ts';
import { bytes, disk, drain, elected, entry, id, logOf, noBytes, solo, voters } from './network.ts';
import type { Peer } from './network.ts';

const timing = { electionTimeoutTicksMin: 10, electionTimeoutTicksMax: 20 };
const meta = { term: 2, index: 99, membership: voters(1, 2, 3), membershipIndex: 1 };

/** A follower whose leader rewrote what it had sent. */
function failedFollower(): Peer {
  const peer = solo(disk(logOf(voters(1, 2, 3), [1])), timing);
  for (const term of [2, 3]) {
    peer.raft.step({
      type: 'AppendEntries',
      from: id(2),
      to: id(1),
      term: 3,
      prevEntry: { term: 1, index: 2 },
      leaderCommit: 0,
      entries: [entry(term, 3)],
    });
  }
  elected(peer, 2, 2, 3);
  return peer;
}

/** A voter that is told by the leader it elected to commit what it does not have. */
function failedVoter(): Peer {
  const from = disk(logOf(voters(1, 2, 3), [1]), { currentTerm: 2, votedFor: id(2) });
  const peer = solo(from, timing);
  const head = { from: id(2), to: id(1), term: 2 } as const;
  peer.raft.step({ type: 'Heartbeat', ...head, leaderCommit: 9, readRound: 0 });
  elected(peer, 2, 3);
  return peer;
}

describe.each([
  ['follower', failedFollower],
  ['voter', failedVoter],
] as const)('after a fatal Ready a %s', (_, fail) => {
  test('has said why, once', () => {
    const peer = fail();
    expect(peer.raft.ready()?.fatal?.reason).toMatch(/^Cannot/);
    expect(peer.raft.ready()).toBeNull();
  });

  test('takes nothing in: no time, no message, no news from its driver', () => {
    const peer = fail();
    drain(peer);
    const before = peer.status;
    const later: Message = { type: 'TimeoutNow', from: id(2), to: id(1), term: before.term + 1 };
    peer.raft.step(later);
    for (let i = 0; i < 100; i++) peer.raft.tick();
    peer.raft.campaign();
    peer.raft.endSilence();
    peer.raft.leaderLost(id(2));
    peer.raft.setPriority(0);
    peer.raft.readIndex(1);
    peer.raft.resetProgress(id(2));
    peer.raft.reportUnreachable(id(2));
    peer.raft.reportSnapshot(id(2), true);
    // Not even what would be a mistake of a driver that goes on.
    peer.raft.persisted(1_000);
    peer.raft.applied(1_000);
    peer.raft.compact(meta, 1_000);
    peer.raft.snapshotInstalled(meta);
    expect(peer.status).toEqual(before);
    expect(peer.raft.ready()).toBeNull();
  });

  test('promises nothing, and names no leader', () => {
    const { raft, status } = fail();
    expect(raft.propose([bytes('a')])).toEqual({ ok: false, reason: 'not-leader', leader: null });
    const { membership, membershipIndex: expectedIndex } = status;
    expect(raft.proposeChange({ membership, expectedIndex, context: noBytes })).toEqual({
      ok: false,
      reason: 'not-leader',
      leader: null,
    });
    expect(raft.lease()).toBeNull();
    expect(raft.heartbeatRound()).toBeNull();
    expect(raft.transferLeadership(id(2))).toBe(false);
  });
});
