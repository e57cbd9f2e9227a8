/** What `truncated` says of entries that this run proposed and that are gone for good (L5, §5.3). */
import { describe, expect, test } from 'vitest';
import type { Message, SnapshotMeta } from '../src/index.ts';
import { bytes, disk, drain, entry, id, logOf, solo, voters } from './network.ts';
import type { Peer } from './network.ts';

const three = voters(1, 2, 3);

/** 1 with entries of term 1 up to index 2. */
function member(): Peer {
  return solo(disk(logOf(three, [1])));
}

/** 1 becomes the leader of the next term by the vote of 2, and appends; its no-op comes first. */
function lead(peer: Peer, ...texts: string[]): void {
  peer.raft.campaign();
  drain(peer);
  const term = peer.status.term + 1;
  const granted = { from: id(2), to: id(1), term, granted: true } as const;
  peer.raft.step({ type: 'PreVoteResponse', ...granted, votedFor: null });
  drain(peer);
  peer.raft.step({ type: 'RequestVoteResponse', ...granted });
  drain(peer);
  expect(peer.status).toMatchObject({ role: 'leader', term });
  if (texts.length > 0) peer.raft.propose(texts.map(bytes));
  drain(peer);
}

/** 2 leads `term`, and has one entry of it after `prev`. */
function replaced(peer: Peer, term: number, prev: readonly [number, number]): void {
  const message: Message = {
    type: 'AppendEntries',
    from: id(2),
    to: id(1),
    term,
    prevEntry: { term: prev[0], index: prev[1] },
    leaderCommit: 0,
    entries: [entry(term, prev[1] + 1)],
  };
  peer.raft.step(message);
  drain(peer);
}

function acknowledged(peer: Peer, matchIndex: number): void {
  const { term } = peer.status;
  const type = 'AppendEntriesResponse';
  peer.raft.step({ type, from: id(2), to: id(1), term, matchIndex, rejected: null });
  drain(peer);
}

function installed(peer: Peer, term: number, meta: SnapshotMeta): void {
  peer.raft.step({ type: 'InstallSnapshot', from: id(2), to: id(1), term, meta });
  drain(peer);
}

describe('truncated', () => {
  test('names each lost entry once, whoever is replaced at its place later', () => {
    const peer = member();
    lead(peer, 'a', 'b');
    replaced(peer, 3, [2, 4]);
    expect(peer.truncated).toEqual(['2/5']);
    replaced(peer, 4, [2, 3]);
    expect(peer.truncated).toEqual(['2/5', '2/4']);
    replaced(peer, 5, [1, 2]);
    expect(peer.truncated).toEqual(['2/5', '2/4', '2/3']);
    replaced(peer, 6, [1, 2]);
    expect(peer.truncated).toHaveLength(3);
    expect(peer.fatal).toBeNull();
  });

  test('names what a later leadership lost after an earlier one was committed', () => {
    const peer = member();
    lead(peer, 'a');
    replaced(peer, 3, [2, 4]);
    lead(peer, 'b', 'c');
    acknowledged(peer, 6);
    expect(peer.status.commitIndex).toBe(6);
    replaced(peer, 5, [4, 6]);
    expect(peer.truncated).toEqual(['4/7', '4/8']);
    expect(peer.fatal).toBeNull();
  });

  test('names of two leaderships what one successor replaced', () => {
    const peer = member();
    lead(peer, 'a');
    replaced(peer, 3, [2, 4]);
    lead(peer, 'b');
    replaced(peer, 5, [2, 3]);
    expect(peer.truncated).toEqual(['2/4', '4/6', '4/7']);
  });

  test('S2 names entries below a snapshot when their term is later than its own', () => {
    const peer = member();
    lead(peer, 'a');
    const meta = { term: 1, index: 10, membership: three, membershipIndex: 1 };
    installed(peer, 3, meta);
    expect(peer.truncated).toEqual(['2/3', '2/4']);
    // Said once: nothing of them is left to be lost again.
    replaced(peer, 4, [1, 10]);
    replaced(peer, 5, [1, 10]);
    expect(peer.truncated).toHaveLength(2);
  });
});
