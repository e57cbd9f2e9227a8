/** What a driver may say at any time, and what its mistakes are. */
import { describe, expect, test } from 'vitest';
import { contextBytesMax, entryDataBytesMax } from '../src/index.ts';
import type { AppendEntries, Message, ProgressStatus, RequestVote } from '../src/index.ts';
import {
  cluster,
  disk,
  drain,
  entry,
  forgetLeader,
  id,
  logOf,
  membershipEntry,
  noBytes,
  ofType,
  solo,
  texts,
  voters,
} from './network.ts';
import type { Network, Peer } from './network.ts';

const three = voters(1, 2, 3);

function progressOf(peer: Peer, number: number): ProgressStatus | undefined {
  return peer.status.progress.find((progress) => progress.peer === id(number));
}

/** To `leader`, from its follower `number`. */
function answer(leader: Peer, number: number, matchIndex: number, rejectedAt?: number): Message {
  const { term } = leader.status;
  const rejected =
    rejectedAt === undefined ? null : { index: rejectedAt, hint: { term: 1, index: 1 } };
  const type = 'AppendEntriesResponse';
  return { type, from: id(number), to: leader.nodeId, term, matchIndex, rejected };
}

/** The newest append to `number`. */
function lastAppend(network: Network, number: number): AppendEntries | undefined {
  return ofType(network.sent, 'AppendEntries')
    .filter(({ to }) => to === id(number))
    .at(-1);
}

describe('proposals', () => {
  test('of entryDataBytesMax are taken, and larger ones are the caller’s mistake', () => {
    const peer = solo(disk([membershipEntry(1, 1, voters(1))]));
    drain(peer);
    const largest = new Uint8Array(entryDataBytesMax);
    expect(peer.raft.propose([largest]).ok).toBe(true);
    const { lastEntry } = peer.status;
    const larger = new Uint8Array(entryDataBytesMax + 1);
    expect(() => peer.raft.propose([noBytes, larger])).toThrow(RangeError);
    expect(peer.status.lastEntry).toEqual(lastEntry);
  });

  test('of a change are invalid with one id that is none, or a context beyond its bound', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const change = (voterIds: string[], contextBytes: number): unknown => {
      const result = leader.raft.proposeChange({
        membership: { voters: voterIds, learners: [] },
        expectedIndex: leader.status.membershipIndex,
        context: new Uint8Array(contextBytes),
      });
      return result.ok ? 'ok' : result.reason;
    };
    expect(change([id(1), id(2), 'me'], 0)).toBe('invalid');
    expect(change([id(1), id(2)], contextBytesMax + 1)).toBe('invalid');
    expect(change([id(1), id(2)], contextBytesMax)).toBe('ok');
  });
});

describe('reads', () => {
  test('R5 beyond so many that wait are refused, at a follower', () => {
    const network = cluster(3);
    network.elect(1);
    const { raft } = network.peer(2);
    for (let i = 0; i < 65_536; i++) raft.readIndex(i);
    expect(network.peer(2).status.pendingReads).toBe(65_536);
    raft.readIndex(99_999);
    expect(network.peer(2).status.pendingReads).toBe(65_536);
    expect(raft.ready()?.reads).toEqual([{ requestId: 99_999, index: null }]);
  });

  test('R5 and at a leader, which serves those that wait', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    for (let i = 0; i < 65_536; i++) leader.raft.readIndex(i);
    leader.raft.readIndex(99_999);
    network.settle();
    expect(leader.reads).toHaveLength(65_537);
    expect(leader.reads.filter(({ index }) => index === null)).toEqual([
      { requestId: 99_999, index: null },
    ]);
  });

  test('R6 of a follower are refused by a leader that steps down, in so many words', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.drop = ({ type }) => type === 'HeartbeatResponse';
    network.peer(3).raft.readIndex(7);
    network.settle();
    const { term } = leader.status;
    const later = { leaderCommit: 0, readRound: 0 };
    leader.raft.step({ type: 'Heartbeat', from: id(2), to: id(1), term: term + 1, ...later });
    const refused = ofType(drain(leader), 'ReadIndexResponse');
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ to: id(3), term: term + 1, index: null });
  });
});

describe('hints', () => {
  test('campaign() leaves a candidate to its votes', () => {
    const network = cluster(3);
    for (const peer of network.peers.values()) forgetLeader(peer);
    network.drop = ({ type }) => type === 'RequestVote';
    const peer = network.peer(1);
    peer.raft.campaign();
    network.settle();
    const { role, term } = peer.status;
    expect(role).toBe('candidate');
    peer.raft.campaign();
    network.settle();
    expect(peer.status).toMatchObject({ role, term });
  });

  test('setPriority() with the priority it has changes nothing, not even by chance', () => {
    const ticksOf = (peer: Peer, more: () => void): number => {
      for (let ticks = 1; ticks < 100; ticks++) {
        more();
        peer.raft.tick();
        if (ofType(drain(peer), 'PreVote').length > 0) return ticks;
      }
      throw new Error('it never stands');
    };
    for (let seed = 1; seed <= 10; seed++) {
      const [one, other] = [0, 1].map(() => solo(disk(logOf(three, [1])), { seed, priority: 1 }));
      if (one === undefined || other === undefined) throw new Error('nobody');
      const wanted = ticksOf(one, () => undefined);
      expect(
        ticksOf(other, () => {
          other.raft.setPriority(1);
        }),
      ).toBe(wanted);
    }
  });

  test('about peers mean nothing at a follower, or about a stranger', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    for (const peer of [leader, network.peer(2)]) {
      const before = peer.status;
      for (const ok of [true, false]) peer.raft.reportSnapshot(id(9), ok);
      peer.raft.reportUnreachable(id(9));
      peer.raft.resetProgress(id(9));
      expect(peer.status).toEqual(before);
    }
  });

  test('reportUnreachable() goes on after what was acknowledged, and leaves a probe alone', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    const matchIndex = progressOf(leader, 3)?.matchIndex ?? 0;
    network.isolate(3);
    network.propose(leader, 'a', 'b');
    leader.raft.reportUnreachable(id(3));
    expect(progressOf(leader, 3)).toMatchObject({ state: 'probe', nextIndex: matchIndex + 1 });
    network.settle();
    // Asked once; a second report is no reason to ask again.
    const asked = network.sent.length;
    leader.raft.reportUnreachable(id(3));
    network.settle();
    expect(network.sent).toHaveLength(asked);
    network.heal();
    network.tick(2);
    expect(texts(network.peer(3).applied)).toEqual(['a', 'b']);
  });
});

describe('what the disk has', () => {
  test('Z22 old news takes nothing back: a durable vote is granted again at once', () => {
    const peer = solo(disk(logOf(three, [1])));
    const asks: RequestVote = {
      type: 'RequestVote',
      from: id(3),
      to: id(1),
      term: 3,
      lastEntry: { term: 1, index: 2 },
      transfer: false,
    };
    const appended: AppendEntries = {
      type: 'AppendEntries',
      from: id(2),
      to: id(1),
      term: 2,
      prevEntry: { term: 1, index: 2 },
      leaderCommit: 0,
      entries: [],
    };
    peer.raft.step(appended);
    drain(peer);
    forgetLeader(peer);
    peer.raft.step({ ...asks, transfer: true });
    expect(ofType(drain(peer), 'RequestVoteResponse')).toHaveLength(1);
    peer.raft.persisted(1);
    peer.raft.step({ ...asks, transfer: true });
    expect(ofType(drain(peer), 'RequestVoteResponse')).toMatchObject([{ granted: true, term: 3 }]);
  });

  test('applied() never passes what was given out', () => {
    const peer = solo(disk(logOf(three, [1, 1]), { commitIndex: 2 }));
    drain(peer);
    expect(peer.status.lastApplied).toBe(2);
    expect(() => {
      peer.raft.applied(3);
    }).toThrow(RangeError);
    // Older news is ignored.
    peer.raft.applied(1);
    expect(peer.status.lastApplied).toBe(2);
  });

  test('S1 an install that was not handed out yet, or another one, cannot have been carried out', () => {
    const peer = solo(disk([]));
    const meta = { term: 1, index: 9, membership: three, membershipIndex: 1 };
    peer.raft.step({ type: 'InstallSnapshot', from: id(2), to: id(1), term: 1, meta });
    expect(() => {
      peer.raft.snapshotInstalled(meta);
    }).toThrow(/wanted none/);
    peer.autoInstall = false;
    drain(peer);
    expect(() => {
      peer.raft.snapshotInstalled({ ...meta, index: 8 });
    }).toThrow(/wanted 9/);
    peer.raft.snapshotInstalled(meta);
    expect(peer.status).toMatchObject({ commitIndex: 9, installing: false });
  });

  test('S5 a snapshot stands for what was applied since the last one, and nothing else', () => {
    const peer = solo(disk(logOf(three, [1, 1, 1, 1, 1]), { commitIndex: 5 }));
    drain(peer);
    const at = (index: number): unknown => peer.raft.snapshotMetaAt(index)?.index ?? null;
    const all = [0, 1, 2, 3, 4, 5, 6, 7];
    expect(all.map(at)).toEqual([null, 1, 2, 3, 4, 5, null, null]);
    const meta = peer.raft.snapshotMetaAt(4);
    if (meta === null) throw new Error('no snapshot');
    peer.raft.compact(meta, 1);
    // 2 to 4 are in the log still, for followers that are a little behind.
    expect(all.map(at)).toEqual([null, null, null, null, null, 5, null, null]);
    expect(peer.status.firstIndex).toBe(2);
    peer.raft.compact(meta, 4);
    expect(peer.status.firstIndex).toBe(5);
  });
});

describe('what followers answer', () => {
  test('an old acknowledgement ends no probe: it proves nothing of the entry asked about', () => {
    const network = cluster(3);
    for (const number of [1, 2]) {
      const peer = network.peer(number);
      peer.disk = disk(logOf(three, [1, 1, 1, 1]));
      peer.restart();
    }
    network.drop = ({ from }) => from === id(3);
    const leader = network.elect(1);
    const probed = { state: 'probe', matchIndex: 0, nextIndex: progressOf(leader, 3)?.nextIndex };
    expect(progressOf(leader, 3)).toMatchObject(probed);
    leader.raft.step(answer(leader, 3, 0));
    expect(progressOf(leader, 3)).toMatchObject(probed);
    network.heal();
    network.tick(2);
    expect(progressOf(leader, 3)?.state).toBe('replicate');
  });

  test('a rejection at what was acknowledged is old, one beyond it goes back to just after it', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    network.isolate(3);
    network.propose(leader, 'a', 'b');
    const matchIndex = progressOf(leader, 3)?.matchIndex ?? 0;
    leader.raft.step(answer(leader, 3, 0, matchIndex));
    expect(progressOf(leader, 3)?.state).toBe('replicate');
    leader.raft.step(answer(leader, 3, 0, matchIndex + 1));
    expect(progressOf(leader, 3)).toMatchObject({ state: 'probe', nextIndex: matchIndex + 1 });
    network.settle();
    expect(lastAppend(network, 3)?.prevEntry.index).toBe(matchIndex);
  });

  test('L9 the last entry that was compacted is out of reach too, for a probe', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.tick(1);
    const matchIndex = progressOf(leader, 3)?.matchIndex ?? 0;
    network.isolate(3);
    network.propose(leader, 'a');
    leader.compact();
    expect(leader.status.firstIndex).toBe(matchIndex + 2);
    leader.raft.reportUnreachable(id(3));
    network.heal();
    network.tick(2);
    expect(leader.snapshotsTo).toEqual([id(3)]);
    leader.raft.reportSnapshot(id(3), false);
    expect(progressOf(leader, 3)).toMatchObject({ state: 'probe', nextIndex: matchIndex + 1 });
  });

  test('L9 and behind a full window', () => {
    const network = cluster(3, { inflightCountMax: 1 });
    const leader = network.elect(1);
    network.tick(1);
    network.isolate(3);
    const sent = network.propose(leader, 'a');
    const unsent = network.propose(leader, 'b');
    leader.compact();
    expect(leader.status.firstIndex).toBe(unsent + 1);
    leader.raft.step(answer(leader, 3, sent));
    drain(leader);
    expect(progressOf(leader, 3)).toMatchObject({ state: 'snapshot', matchIndex: sent });
    expect(leader.snapshotsTo).toEqual([id(3)]);
  });
});

test('entries before a snapshot that are in the log still change no membership at a start', () => {
  const two = voters(1, 2);
  const entries = [membershipEntry(1, 1, two), membershipEntry(1, 2, three), entry(1, 3)];
  const meta = { term: 1, index: 3, membership: three, membershipIndex: 2 };
  const peer = solo({ ...disk(entries, { commitIndex: 3 }), snapshot: meta });
  expect(peer.status).toMatchObject({ membershipIndex: 2, membership: three, firstIndex: 1 });
});
