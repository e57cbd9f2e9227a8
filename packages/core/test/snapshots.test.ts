import { describe, expect, test } from 'vitest';
import { Prng } from '../src/index.ts';
import type { InstallSnapshot, SnapshotMeta } from '../src/index.ts';
import { cluster, disk, drain, entry, id, logOf, ofType, solo, texts, voters } from './network.ts';
import type { Peer, Network } from './network.ts';

function install(meta: SnapshotMeta, term: number, to = 1): InstallSnapshot {
  return { type: 'InstallSnapshot', from: id(2), to: id(to), term, meta };
}

function metaAt(term: number, index: number): SnapshotMeta {
  return { term, index, membership: voters(1, 2, 3), membershipIndex: 1 };
}

/** What the driver does for `sendSnapshot`: the bytes, then the message, then the report. */
function stream(network: Network, from: Peer, to: number): void {
  const { snapshot, term } = from.status;
  if (snapshot === null) throw new Error('no snapshot to stream');
  network.peer(to).raft.step({
    type: 'InstallSnapshot',
    from: from.nodeId,
    to: id(to),
    term,
    meta: snapshot,
  });
  from.raft.reportSnapshot(id(to), true);
  network.settle();
}

/** A leader whose third follower needs a snapshot. */
function withLaggard(trailing = 0): { network: Network; leader: Peer; laggard: Peer } {
  const network = cluster(3);
  const leader = network.elect(1);
  network.isolate(3);
  network.propose(leader, 'a', 'b', 'c');
  leader.compact(trailing);
  network.propose(leader, 'd');
  network.heal();
  network.tick(2);
  return { network, leader, laggard: network.peer(3) };
}

/** A leader whose third member lags, cut off, and has just been removed. */
function withLaggardRemoved(): { network: Network; leader: Peer } {
  const network = cluster(3);
  const leader = network.elect(1);
  network.isolate(3);
  network.propose(leader, 'a', 'b', 'c');
  leader.compact();
  const change = leader.raft.proposeChange({
    membership: { voters: [id(1), id(2)], learners: [] },
    expectedIndex: leader.status.membershipIndex,
    context: new Uint8Array(0),
  });
  if (!change.ok) throw new Error(change.reason);
  network.settle();
  return { network, leader };
}

describe('installing', () => {
  test('a follower far behind gets a snapshot, then the rest of the log', () => {
    const { network, leader, laggard } = withLaggard();
    expect(leader.snapshotsTo).toEqual([id(3)]);
    stream(network, leader, 3);
    expect(laggard.disk.snapshot?.index).toBe(leader.status.snapshot?.index);
    expect(laggard.status.lastEntry).toEqual(leader.status.lastEntry);
    network.tick(1);
    expect(texts(laggard.applied)).toEqual(['d']);
    expect(laggard.status.commitIndex).toBe(leader.status.commitIndex);
    expect(leader.status.progress.map(({ state }) => state)).toEqual(['replicate', 'replicate']);
  });

  test('S1 while it is installed nothing is committed, acknowledged or campaigned for; nothing below it is applied again', () => {
    const { network, leader, laggard } = withLaggard();
    laggard.autoInstall = false;
    network.sent = [];
    stream(network, leader, 3);
    const before = laggard.status;
    expect(laggard.toInstall?.index).toBe(leader.status.snapshot?.index);
    network.propose(leader, 'e');
    network.tick(5);
    expect(laggard.status).toMatchObject({
      lastApplied: before.lastApplied,
      commitIndex: before.commitIndex,
      lastEntry: before.lastEntry,
    });
    expect(
      ofType(network.sent, 'AppendEntriesResponse').filter(({ from }) => from === id(3)),
    ).toEqual([]);
    // Heartbeats are answered all the while.
    expect(ofType(network.sent, 'HeartbeatResponse').some(({ from }) => from === id(3))).toBe(true);
    laggard.raft.campaign();
    expect(laggard.status.role).toBe('follower');
    laggard.install();
    network.settle();
    network.tick(2);
    expect(laggard.status.lastApplied).toBe(leader.status.commitIndex);
    expect(texts(laggard.applied)).toEqual(['d', 'e']);
    // News of applying from before the snapshot take nothing back.
    laggard.raft.applied(1);
    expect(laggard.status.lastApplied).toBe(leader.status.commitIndex);
  });

  test('S1 an install is handed out after every batch given out before it, and alone', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3), [1])));
    peer.raft.step({
      type: 'AppendEntries',
      from: id(2),
      to: id(1),
      term: 2,
      prevEntry: { term: 1, index: 2 },
      leaderCommit: 0,
      entries: [entry(2, 3)],
    });
    peer.raft.step(install(metaAt(2, 50), 2));
    const first = peer.raft.ready();
    expect(first?.persist?.entries).toHaveLength(1);
    expect(first?.installSnapshot).toBeNull();
    const second = peer.raft.ready();
    expect(second?.persist).toBeNull();
    expect(second?.installSnapshot?.index).toBe(50);
    expect(peer.raft.ready()).toBeNull();
    peer.raft.snapshotInstalled(metaAt(2, 50));
    expect(peer.status).toMatchObject({
      commitIndex: 50,
      lastApplied: 50,
      durableIndex: 50,
      lastEntry: { term: 2, index: 50 },
      membership: voters(1, 2, 3),
    });
    const acks = ofType(drain(peer), 'AppendEntriesResponse');
    expect(acks).toEqual([]);
    peer.raft.persisted(1);
    expect(
      ofType(drain(peer), 'AppendEntriesResponse').map(({ matchIndex }) => matchIndex),
    ).toEqual([50]);
  });

  test('S1 what becomes durable while a snapshot is installed is not handed out beside it', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3), [1])));
    peer.autoSync = false;
    peer.autoInstall = false;
    peer.raft.step({
      type: 'AppendEntries',
      from: id(2),
      to: id(1),
      term: 1,
      prevEntry: { term: 1, index: 2 },
      leaderCommit: 3,
      entries: [entry(1, 3)],
    });
    peer.raft.step(install(metaAt(1, 50), 1));
    drain(peer);
    expect(peer.status.commitIndex).toBe(3);
    expect(peer.appliedIndex).toBe(0);
    peer.sync();
    drain(peer);
    expect(peer.appliedIndex).toBe(0);
    peer.install();
    drain(peer);
    expect(peer.status.lastApplied).toBe(50);
  });

  test('S2 a stale snapshot is ignored and answered with the commit index', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3), [1, 1, 1]), { commitIndex: 4 }));
    drain(peer);
    peer.raft.step(install(metaAt(1, 3), 2));
    const answers = ofType(drain(peer), 'AppendEntriesResponse');
    expect(answers.map(({ matchIndex }) => matchIndex)).toEqual([4]);
    expect(peer.toInstall).toBeNull();
    expect(peer.disk.snapshot).toBeNull();
    expect(peer.status.lastEntry.index).toBe(4);
  });

  test('a snapshot that the log already holds only moves the commit index', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3), [1, 1, 1])));
    peer.raft.step(install(metaAt(1, 3), 1));
    drain(peer);
    expect(peer.disk.snapshot).toBeNull();
    expect(peer.status).toMatchObject({
      commitIndex: 3,
      lastApplied: 3,
      lastEntry: { term: 1, index: 4 },
    });
  });

  test('a snapshot over a conflicting log replaces it, and says what was lost', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(1);
    const lost = network.propose(leader, 'x', 'y', 'z', 'w', 'v', 'u');
    const lostTerm = leader.status.term;
    const successor = network.elect(2);
    network.propose(successor, 'a', 'b');
    successor.compact();
    network.heal();
    network.tick(3);
    expect(successor.snapshotsTo).toEqual([id(1)]);
    stream(network, successor, 1);
    network.tick(1);
    expect(leader.status.lastEntry).toEqual(successor.status.lastEntry);
    // Entries at or below the snapshot may have been committed by somebody, as far as it knows.
    const known = successor.status.snapshot?.index ?? 0;
    expect(leader.truncated).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => `${lostTerm}/${lost + i}`).slice(known - lost + 1),
    );
    expect(leader.truncated.length).toBeGreaterThan(0);
  });

  test('a failed stream is tried again after the next heartbeat', () => {
    const { network, leader } = withLaggard();
    expect(leader.snapshotsTo).toEqual([id(3)]);
    leader.raft.reportSnapshot(id(3), false);
    network.settle();
    expect(leader.snapshotsTo).toEqual([id(3)]);
    network.tick(2);
    expect(leader.snapshotsTo).toEqual([id(3), id(3)]);
    stream(network, leader, 3);
    network.tick(1);
    expect(network.peer(3).status.commitIndex).toBe(leader.status.commitIndex);
  });

  test('a follower that says what it has needs no report: the log goes on at once', () => {
    const { network, leader, laggard } = withLaggard();
    const meta = leader.status.snapshot as SnapshotMeta;
    laggard.raft.step({ ...install(meta, leader.status.term, 3), from: id(1) });
    network.settle();
    expect(laggard.status.lastEntry).toEqual(leader.status.lastEntry);
    expect(leader.status.progress.map(({ state }) => state)).toEqual(['replicate', 'replicate']);
    // The report that comes late changes nothing, whatever it says.
    for (const ok of [true, false]) leader.raft.reportSnapshot(id(3), ok);
    expect(leader.status.progress.map(({ state }) => state)).toEqual(['replicate', 'replicate']);
  });

  test('while a snapshot is under way nothing else is sent but heartbeats, and answers from before it count for nothing', () => {
    const { network, leader } = withLaggard();
    network.sent = [];
    network.propose(leader, 'more');
    network.tick(5);
    const there = network.sent.filter(({ to }) => to === id(3)).map(({ type }) => type);
    expect(new Set(there)).toEqual(new Set(['Heartbeat']));
    const late = { type: 'AppendEntriesResponse', from: id(3), to: id(1) } as const;
    const { term } = leader.status;
    leader.raft.step({ ...late, term, matchIndex: 1, rejected: null });
    leader.raft.step({
      ...late,
      term,
      matchIndex: 0,
      rejected: { index: 3, hint: { term: 1, index: 1 } },
    });
    expect(leader.status.progress.map(({ state }) => state)).toEqual(['replicate', 'snapshot']);
  });

  test('L10 a lost InstallSnapshot is asked for again', () => {
    const { network, leader } = withLaggard();
    leader.raft.reportSnapshot(id(3), true);
    network.tick(3);
    expect(leader.snapshotsTo).toEqual([id(3), id(3)]);
  });

  test('a leader that compacts while a snapshot is under way sends a newer one, or the log', () => {
    const { network, leader, laggard } = withLaggard();
    const old = leader.status.snapshot as SnapshotMeta;
    network.propose(leader, 'e');
    leader.compact();
    laggard.raft.step({ ...install(old, leader.status.term, 3), from: id(1) });
    network.settle();
    leader.raft.reportSnapshot(id(3), true);
    network.tick(2);
    expect(leader.snapshotsTo).toEqual([id(3), id(3)]);
    stream(network, leader, 3);
    network.tick(1);
    expect(laggard.status.commitIndex).toBe(leader.status.commitIndex);
  });

  test('no snapshot is asked for before the peer was heard', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    network.propose(leader, 'a');
    leader.compact();
    leader.raft.resetProgress(id(3));
    network.tick(50);
    expect(leader.snapshotsTo).toEqual([]);
  });

  test('snapshotInstalled() refuses a snapshot that was not asked for', () => {
    const peer = solo(disk([]));
    expect(() => peer.raft.snapshotInstalled(metaAt(1, 3))).toThrow(RangeError);
  });

  test('a crash before the install leaves the old state, which restarts and asks again', () => {
    const { network, leader, laggard } = withLaggard();
    laggard.autoInstall = false;
    stream(network, leader, 3);
    laggard.restart();
    laggard.autoInstall = true;
    leader.raft.resetProgress(id(3));
    network.tick(3);
    stream(network, leader, 3);
    network.tick(1);
    expect(laggard.status.commitIndex).toBe(leader.status.commitIndex);
  });
});

describe('compaction', () => {
  test('S5 never passes lastApplied or the snapshot', () => {
    const network = cluster(1);
    network.settle();
    const peer = network.peer(1);
    network.propose(peer, 'a', 'b', 'c');
    const { lastApplied } = peer.status;
    expect(peer.raft.snapshotMetaAt(lastApplied + 1)).toBeNull();
    const meta = peer.raft.snapshotMetaAt(lastApplied) as SnapshotMeta;
    expect(() => peer.raft.compact({ ...meta, index: lastApplied + 1 }, 1)).toThrow(RangeError);
    expect(() => peer.raft.compact({ ...meta, index: 2 }, 3)).toThrow(RangeError);
    peer.raft.compact(meta, lastApplied - 1);
    expect(peer.status).toMatchObject({ firstIndex: lastApplied, snapshot: meta });
    // An older one is old news.
    peer.raft.compact({ ...meta, index: lastApplied - 2 }, lastApplied - 2);
    expect(peer.status).toMatchObject({ firstIndex: lastApplied, snapshot: meta });
  });

  test('S5 at every step of a random schedule', () => {
    const prng = new Prng(5);
    const network = cluster(3);
    network.elect(1);
    for (let i = 0; i < 500; i++) {
      const leader = network.tickUntilLeader();
      if (prng.between(0, 2) === 0) network.propose(leader, `${i}`);
      if (prng.between(0, 20) === 0) network.isolate(prng.between(1, 4));
      if (prng.between(0, 10) === 0) network.heal();
      network.tick(1);
      for (const peer of network.peers.values()) {
        for (const to of peer.snapshotsTo.splice(0)) {
          if (peer.status.role === 'leader') stream(network, peer, Number.parseInt(to, 16));
        }
        if (prng.between(0, 10) === 0 && peer.raft.snapshotMetaAt(peer.appliedIndex) !== null) {
          peer.compact(prng.between(0, 4));
        }
        const { firstIndex, snapshot, lastApplied, commitIndex } = peer.status;
        expect(firstIndex - 1).toBeLessThanOrEqual(snapshot?.index ?? 0);
        expect(snapshot?.index ?? 0).toBeLessThanOrEqual(lastApplied);
        expect(lastApplied).toBeLessThanOrEqual(commitIndex);
      }
    }
    network.heal();
    network.tick(60);
    for (const peer of network.peers.values()) {
      for (const to of peer.snapshotsTo.splice(0)) {
        if (peer.status.role === 'leader') stream(network, peer, Number.parseInt(to, 16));
      }
    }
    network.tick(3);
    const commits = [...network.peers.values()].map(({ status }) => status.commitIndex);
    expect(new Set(commits).size).toBe(1);
  });

  test('a trailing window serves a follower that is a little behind without a snapshot', () => {
    const { network, leader, laggard } = withLaggard(10);
    expect(leader.snapshotsTo).toEqual([]);
    network.tick(1);
    expect(texts(laggard.applied)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a restart from a snapshot with a trailing window goes on where it was', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a', 'b', 'c', 'd');
    leader.compact(2);
    network.propose(leader, 'e');
    const { lastEntry } = leader.status;
    const snapshotIndex = leader.status.snapshot?.index ?? 0;
    leader.restart();
    expect(leader.status).toMatchObject({ lastEntry, lastApplied: snapshotIndex });
    expect(leader.status.firstIndex).toBeLessThanOrEqual(snapshotIndex);
    leader.applied = [];
    network.tick(60);
    expect(texts(leader.applied)).toEqual(['e']);
  });

  test('L9 M5 a member on its way out gets no snapshot', () => {
    const { network, leader } = withLaggardRemoved();
    network.heal();
    network.sent = [];
    network.tick(4);
    expect(ofType(network.sent, 'HeartbeatResponse').some(({ from }) => from === id(3))).toBe(true);
    expect(leader.snapshotsTo).toEqual([]);
  });

  test('L9 a rejection that comes while a snapshot is streamed starts nothing over', () => {
    const { leader } = withLaggard();
    const { term, lastEntry } = leader.status;
    leader.raft.step({
      type: 'AppendEntriesResponse',
      from: id(3),
      to: id(1),
      term,
      matchIndex: 0,
      rejected: { index: lastEntry.index, hint: { term: 1, index: 1 } },
    });
    drain(leader);
    expect(leader.status.progress.find(({ peer }) => peer === id(3))?.state).toBe('snapshot');
    expect(leader.snapshotsTo).toEqual([id(3)]);
  });
});
