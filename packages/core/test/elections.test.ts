import { describe, expect, test } from 'vitest';
import type { Message, Role } from '../src/index.ts';
import {
  cluster,
  disk,
  drain,
  entry,
  forgetLeader,
  id,
  logOf,
  membershipEntry,
  Network,
  noBytes,
  ofType,
  solo,
  texts,
  voters,
} from './network.ts';
import type { Peer } from './network.ts';

const three = voters(1, 2, 3);

function requestVote(
  term: number,
  from: number,
  last: [number, number],
  transfer = false,
): Message {
  const lastEntry = { term: last[0], index: last[1] };
  return { type: 'RequestVote', from: id(from), to: id(1), term, lastEntry, transfer };
}

function preVote(term: number, from: number, last: [number, number]): Message {
  const lastEntry = { term: last[0], index: last[1] };
  return { type: 'PreVote', from: id(from), to: id(1), term, lastEntry };
}

function answer(
  type: 'PreVoteResponse' | 'RequestVoteResponse',
  from: number,
  term: number,
  granted = true,
): Message {
  const head = { from: id(from), to: id(1), term, granted };
  return type === 'PreVoteResponse' ? { type, ...head, votedFor: null } : { type, ...head };
}

function heartbeat(term: number, from: number): Message {
  return { type: 'Heartbeat', from: id(from), to: id(1), term, leaderCommit: 0, readRound: 0 };
}

function grants(messages: readonly Message[]): boolean[] {
  return ofType(messages, 'RequestVoteResponse').map(({ granted }) => granted);
}

/** Ticks until `peer` is in `role`, delivering nothing. */
function tickUntil(peer: Peer, role: Role): Message[] {
  const messages: Message[] = [];
  for (let i = 0; i < 100; i++) {
    if (peer.status.role === role) return messages;
    peer.raft.tick();
    messages.push(...drain(peer));
  }
  throw new Error(`never ${role}`);
}

function makeCandidate(peer: Peer): Message[] {
  tickUntil(peer, 'preCandidate');
  peer.raft.step(answer('PreVoteResponse', 2, peer.status.term + 1));
  return drain(peer);
}

describe('figure 2: rules for servers', () => {
  test('a follower that hears nobody asks for pre-votes, with its term unchanged', () => {
    const peer = solo(disk(logOf(three, [1])));
    const sent = tickUntil(peer, 'preCandidate');
    expect(ofType(sent, 'PreVote').map(({ to, term }) => [to, term])).toEqual([
      [id(2), 2],
      [id(3), 2],
    ]);
    expect(peer.status.term).toBe(1);
    expect(peer.status.votedFor).toBeNull();
  });

  test('a candidate increments its term, votes for itself, resets its timer and asks everybody', () => {
    const peer = solo(disk(logOf(three, [1])));
    const sent = makeCandidate(peer);
    expect(peer.status).toMatchObject({ role: 'candidate', term: 2, votedFor: id(1) });
    expect(peer.disk.hardState).toMatchObject({ currentTerm: 2, votedFor: id(1) });
    expect(
      ofType(sent, 'RequestVote').map(({ to, term, lastEntry }) => [to, term, lastEntry]),
    ).toEqual([
      [id(2), 2, { term: 1, index: 2 }],
      [id(3), 2, { term: 1, index: 2 }],
    ]);
  });

  test('a candidate with votes of a majority leads, and says so at once', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    peer.raft.step(answer('RequestVoteResponse', 3, 2));
    const sent = drain(peer);
    expect(peer.status).toMatchObject({ role: 'leader', leader: id(1) });
    expect(ofType(sent, 'AppendEntries').map(({ to }) => to)).toEqual([id(2), id(3)]);
  });

  test('a candidate that hears a leader of its term follows it', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    peer.raft.step(heartbeat(2, 3));
    expect(peer.status).toMatchObject({
      role: 'follower',
      term: 2,
      leader: id(3),
      votedFor: id(1),
    });
  });

  test('a candidate whose election times out begins another attempt', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    const sent = tickUntil(peer, 'preCandidate');
    expect(ofType(sent, 'PreVote').map(({ term }) => term)).toEqual([3, 3]);
  });

  test.each(['follower', 'preCandidate', 'candidate', 'leader'] as const)(
    'a %s that sees a later term enters it as a follower',
    (role) => {
      const peer = solo(disk(logOf(three, [1])));
      if (role !== 'follower') tickUntil(peer, 'preCandidate');
      if (role === 'candidate' || role === 'leader') {
        peer.raft.step(answer('PreVoteResponse', 2, 2));
        drain(peer);
      }
      if (role === 'leader') peer.raft.step(answer('RequestVoteResponse', 2, 2));
      expect(peer.status.role).toBe(role);
      peer.raft.step(heartbeat(7, 3));
      expect(peer.status).toMatchObject({
        role: 'follower',
        term: 7,
        leader: id(3),
        votedFor: null,
      });
      drain(peer);
      expect(peer.disk.hardState).toMatchObject({ currentTerm: 7, votedFor: null });
    },
  );

  test('RequestVote of an earlier term is refused with the current one', () => {
    const peer = solo(disk(logOf(three, [5])));
    peer.raft.step(requestVote(4, 2, [9, 9]));
    expect(ofType(drain(peer), 'RequestVoteResponse')).toEqual([
      {
        type: 'RequestVoteResponse',
        from: id(1),
        to: id(2),
        term: 5,
        granted: false,
      },
    ]);
  });

  test('RequestVote is granted once per term, and to the same candidate again', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(requestVote(2, 2, [1, 2]));
    expect(grants(drain(peer))).toEqual([true]);
    peer.raft.step(requestVote(2, 3, [1, 2]));
    expect(grants(drain(peer))).toEqual([false]);
    peer.raft.step(requestVote(2, 2, [1, 2]));
    expect(grants(drain(peer))).toEqual([true]);
  });
});

test('granting a vote restarts the timer, refusing one does not', () => {
  const ticksLeft = (message: Message | null): number => {
    const peer = solo(disk(logOf(three, [1]), { currentTerm: 2 }));
    for (let i = 0; i < 9; i++) peer.raft.tick();
    if (message !== null) peer.raft.step(message);
    for (let ticks = 1; ; ticks++) {
      peer.raft.tick();
      if (peer.status.role !== 'follower') return ticks;
    }
  };
  const undisturbed = ticksLeft(null);
  expect(ticksLeft(requestVote(2, 2, [1, 2]))).toBe(undisturbed + 9);
  expect(ticksLeft(requestVote(2, 2, [1, 1]))).toBe(undisturbed);
});

describe('votes and disks', () => {
  test('E1 a grant leaves only once the vote is durable', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(requestVote(2, 2, [1, 2]));
    expect(drain(peer)).toEqual([]);
    peer.raft.step(requestVote(2, 2, [1, 2]));
    expect(drain(peer)).toEqual([]);
    peer.sync();
    expect(peer.disk.hardState).toMatchObject({ currentTerm: 2, votedFor: id(2) });
    expect(grants(drain(peer))).toEqual([true]);
  });

  test('E1 a grant that waits for the disk is forgotten with its term', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(requestVote(2, 2, [1, 2]));
    drain(peer);
    peer.raft.step(requestVote(3, 3, [1, 2]));
    peer.sync();
    expect(grants(drain(peer))).toEqual([]);
    peer.sync();
    const sent = ofType(drain(peer), 'RequestVoteResponse');
    expect(sent.map(({ to, term, granted }) => [to, term, granted])).toEqual([[id(3), 3, true]]);
  });

  test('E1 a grant that waits for the disk never leaves in a later term, where it would be a second vote', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(requestVote(2, 2, [1, 2]));
    drain(peer);
    peer.raft.step(heartbeat(3, 3));
    drain(peer);
    peer.sync();
    expect(grants(drain(peer))).toEqual([]);
    expect(peer.status).toMatchObject({ term: 3, votedFor: null });
  });

  test('E1 a candidate asks, and counts anybody, only once term and vote are durable', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    const sent = makeCandidate(peer);
    expect(peer.status.role).toBe('candidate');
    expect(ofType(sent, 'RequestVote')).toEqual([]);
    // Not even votes that nobody asked for make a leader of a term that a crash would undo.
    for (const from of [2, 3]) peer.raft.step(answer('RequestVoteResponse', from, 2));
    expect(peer.status.role).toBe('candidate');
    peer.sync();
    expect(ofType(drain(peer), 'RequestVote')).toHaveLength(2);
    peer.raft.step(answer('RequestVoteResponse', 2, 2));
    expect(peer.status.role).toBe('leader');
  });

  test('E1 a store that never answers never lets a candidate lead', () => {
    const network = cluster(3);
    for (const peer of network.peers.values()) peer.autoSync = false;
    network.tick(500);
    expect(network.leader).toBeUndefined();
    expect(ofType(network.sent, 'RequestVote')).toEqual([]);
    expect(grants(network.sent)).toEqual([]);
  });

  test('E2 term and vote are one record: after a crash before it the term is open, after it closed', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.autoSync = false;
    peer.raft.step(requestVote(2, 2, [1, 2]));
    drain(peer);
    expect(peer.unsynced).toHaveLength(1);
    expect(peer.unsynced[0]?.hardState).toMatchObject({ currentTerm: 2, votedFor: id(2) });
    peer.restart();
    expect(peer.status).toMatchObject({ term: 1, votedFor: null });
    peer.raft.step(requestVote(2, 2, [1, 2]));
    drain(peer);
    peer.sync();
    peer.restart();
    expect(peer.status).toMatchObject({ term: 2, votedFor: id(2) });
    // The other candidate of that term, with a shorter log.
    peer.raft.step(requestVote(2, 3, [1, 1]));
    expect(grants(drain(peer))).toEqual([false]);
  });

  test('E13 everybody votes in a term, everybody restarts: nobody votes in it again', () => {
    const network = cluster(3);
    const { term } = network.elect(1).status;
    for (const peer of network.peers.values()) peer.restart();
    for (const peer of network.peers.values()) {
      const other = [2, 3, 1].map(id).find((each) => each !== peer.nodeId && each !== id(1));
      const lastEntry = { term: 99, index: 99 };
      peer.raft.step({
        type: 'RequestVote',
        from: other ?? '',
        to: peer.nodeId,
        term,
        lastEntry,
        transfer: false,
      });
      expect(grants(drain(peer))).toEqual([false]);
    }
  });
});

describe('who is elected', () => {
  test('E3 a candidate that steps down within its term keeps its vote', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    peer.raft.step(heartbeat(2, 3));
    expect(peer.status.role).toBe('follower');
    peer.raft.step(requestVote(2, 2, [9, 9]));
    expect(grants(drain(peer))).toEqual([false]);
    expect(peer.status.votedFor).toBe(id(1));
  });

  test.each([
    [[2, 100], false],
    [[3, 1], false],
    [[3, 2], true],
    [[3, 3], true],
    [[4, 1], true],
  ] as const)(
    'E4 the log ends compare as a pair: %j against (3, 2) in votes and pre-votes',
    (last, granted) => {
      const log = [membershipEntry(1, 1, three), entry(3, 2)];
      const voter = solo(disk(log));
      voter.raft.step(requestVote(4, 2, [...last]));
      expect(grants(drain(voter))).toEqual([granted]);
      const preVoter = solo(disk(log));
      preVoter.raft.step(preVote(4, 2, [...last]));
      expect(ofType(drain(preVoter), 'PreVoteResponse').map((each) => each.granted)).toEqual([
        granted,
      ]);
    },
  );

  test('E5 a grant twice, or of an earlier term, does not elect', () => {
    const peer = solo(disk(logOf(voters(1, 2, 3, 4, 5), [1])));
    tickUntil(peer, 'preCandidate');
    peer.raft.step(answer('PreVoteResponse', 2, 2));
    peer.raft.step(answer('PreVoteResponse', 2, 2));
    expect(peer.status.role).toBe('preCandidate');
    peer.raft.step(answer('PreVoteResponse', 3, 2));
    drain(peer);
    expect(peer.status.role).toBe('candidate');
    peer.raft.step(answer('RequestVoteResponse', 2, 2));
    peer.raft.step(answer('RequestVoteResponse', 2, 2));
    peer.raft.step(answer('RequestVoteResponse', 3, 1));
    expect(peer.status.role).toBe('candidate');
    peer.raft.step(answer('RequestVoteResponse', 3, 2));
    expect(peer.status.role).toBe('leader');
  });

  test('E5 a pre-vote grant is no vote', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    for (const term of [2, 3])
      for (const from of [2, 3]) peer.raft.step(answer('PreVoteResponse', from, term));
    expect(peer.status.role).toBe('candidate');
  });

  test('E5 a pre-vote grant of an earlier attempt is not counted in a later term', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    tickUntil(peer, 'preCandidate');
    expect(peer.status.term).toBe(2);
    for (const from of [2, 3]) peer.raft.step(answer('PreVoteResponse', from, 2));
    expect(peer.status.role).toBe('preCandidate');
    peer.raft.step(answer('PreVoteResponse', 2, 3));
    expect(peer.status.role).toBe('candidate');
  });

  test('a candidate refused by a majority gives up until its next timeout', () => {
    const peer = solo(disk(logOf(three, [1])));
    makeCandidate(peer);
    for (const from of [2, 3]) peer.raft.step(answer('RequestVoteResponse', from, 2, false));
    expect(peer.status).toMatchObject({ role: 'follower', term: 2 });
  });

  test('E6 a learner and a removed node never stand for election', () => {
    const learner = solo(disk([membershipEntry(1, 1, { ...voters(2), learners: [id(1)] })]));
    const removed = solo(disk([membershipEntry(1, 1, voters(2, 3))]));
    const fresh = solo(disk([]));
    for (const peer of [learner, removed, fresh]) {
      for (let i = 0; i < 200; i++) peer.raft.tick();
      peer.raft.campaign();
      peer.raft.step({ type: 'TimeoutNow', from: id(2), to: id(1), term: 1 });
      expect(peer.status.role).toBe('follower');
      expect(drain(peer).filter(({ type }) => type !== 'HeartbeatResponse')).toEqual([]);
    }
  });

  test('E6 grants and acknowledgements of a learner or a stranger count nowhere', () => {
    const membership = { ...voters(1, 2, 3), learners: [id(4)] };
    const peer = solo(disk([membershipEntry(1, 1, membership), entry(1, 2)]));
    tickUntil(peer, 'preCandidate');
    for (const from of [4, 5]) peer.raft.step(answer('PreVoteResponse', from, 2));
    expect(peer.status.role).toBe('preCandidate');
    peer.raft.step(answer('PreVoteResponse', 2, 2));
    drain(peer);
    for (const from of [4, 5]) peer.raft.step(answer('RequestVoteResponse', from, 2));
    expect(peer.status.role).toBe('candidate');
    peer.raft.step(answer('RequestVoteResponse', 2, 2));
    drain(peer);
    for (const from of [4, 5]) {
      const ack = { type: 'AppendEntriesResponse', matchIndex: 3, rejected: null } as const;
      peer.raft.step({ ...ack, from: id(from), to: id(1), term: 2 });
    }
    expect(peer.status.commitIndex).toBe(0);
  });

  test('E6 a voter that does not know yet that it is one still grants', () => {
    const network = new Network();
    const grown = membershipEntry(1, 2, voters(1, 2, 3));
    const log = [membershipEntry(1, 1, voters(1)), grown];
    network.add(1, disk(log));
    network.add(2);
    network.add(3);
    network.peer(2).raft.step({ ...requestVote(2, 1, [1, 2]), to: id(2) });
    expect(grants(drain(network.peer(2)))).toEqual([true]);
    network.tickUntilLeader();
    expect(network.leader?.nodeId).toBe(id(1));
  });

  test('E7 a follower cut off for a hundred election timeouts comes back: leader and term unchanged', () => {
    const network = cluster(3);
    const { term } = network.elect(1).status;
    network.isolate(3);
    network.tick(2000);
    expect(network.peer(3).status.term).toBe(term);
    network.heal();
    network.tick(50);
    for (const peer of network.peers.values()) {
      expect(peer.status).toMatchObject({ term, leader: id(1) });
    }
  });

  test('E8 a node stuck at a later term, fed by an earlier one, is freed', () => {
    const network = cluster(3);
    network.elect(1);
    const stuck = network.peer(3);
    // It was a candidate at term 50 and heard of nothing since.
    stuck.disk = { ...stuck.disk, hardState: { ...stuck.disk.hardState, currentTerm: 50 } };
    stuck.restart();
    network.tick(100);
    const { leader } = network;
    expect(leader?.status.term).toBeGreaterThan(50);
    expect(stuck.status).toMatchObject({ term: leader?.status.term, leader: leader?.nodeId });
  });

  test('E8 a pre-vote of an earlier term gets an answer that names the later one', () => {
    const peer = solo(disk(logOf(three, [5])));
    peer.raft.step(preVote(3, 2, [1, 1]));
    expect(ofType(drain(peer), 'PreVoteResponse')).toEqual([
      { type: 'PreVoteResponse', from: id(1), to: id(2), term: 5, granted: false, votedFor: null },
    ]);
  });

  test('E8 a refused pre-vote that names a later term takes its asker there', () => {
    const peer = solo(disk(logOf(three, [1])));
    tickUntil(peer, 'preCandidate');
    peer.raft.step(answer('PreVoteResponse', 2, 9, false));
    expect(peer.status).toMatchObject({ role: 'follower', term: 9 });
  });

  test('E9 granting a pre-vote changes neither term, vote nor timer', () => {
    const peer = solo(disk(logOf(three, [1])));
    const quiet = solo(disk(logOf(three, [1])));
    for (let tick = 1; tick <= 40 && quiet.status.role === 'follower'; tick++) {
      peer.raft.step(preVote(2, 2, [1, 2]));
      expect(ofType(drain(peer), 'PreVoteResponse').map(({ granted }) => granted)).toEqual([true]);
      expect(peer.status).toMatchObject({ term: 1, votedFor: null });
      peer.raft.tick();
      quiet.raft.tick();
    }
    expect(peer.status.role).toBe('preCandidate');
  });

  test('E10 a leader that can send but not receive steps down', () => {
    const network = cluster(3);
    network.elect(1);
    network.drop = ({ to }) => to === id(1);
    network.tick(10);
    expect(network.peer(1).status).toMatchObject({ role: 'follower', leader: null });
    network.tick(60);
    expect(network.leader?.nodeId).not.toBe(id(1));
  });

  test('E10 a leader that can receive but not send loses its leadership', () => {
    const network = cluster(3);
    network.elect(1);
    network.drop = ({ from }) => from === id(1);
    network.tick(60);
    expect(network.leader).toBeDefined();
    expect(network.leader?.nodeId).not.toBe(id(1));
  });

  test('E11 T8 AppendEntries of a leader’s own term from somebody else is refused', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    const { term, lastEntry: prevEntry } = leader.status;
    leader.raft.step({
      type: 'AppendEntries',
      from: id(2),
      to: id(1),
      term,
      prevEntry,
      leaderCommit: 0,
      entries: [],
    });
    expect(drain(leader)).toEqual([]);
    expect(leader.refused).toEqual([expect.stringMatching(/^contradiction: .* leads term/)]);
    // It goes on.
    expect(leader.status).toMatchObject({ role: 'leader', term, lastEntry: prevEntry });
    expect(leader.raft.propose([noBytes])).toMatchObject({ ok: true });
    expect(leader.fatal).toBeNull();
  });

  test('E11 T8 a follower that hears two leaders of one term follows the first', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(heartbeat(2, 2));
    peer.raft.step(heartbeat(2, 3));
    expect(ofType(drain(peer), 'HeartbeatResponse').map(({ to }) => to)).toEqual([id(2)]);
    expect(peer.refused).toEqual([expect.stringMatching(/^contradiction: .* leads term 2/)]);
    expect(peer.status.leader).toBe(id(2));
    expect(peer.fatal).toBeNull();
  });

  test('E12 timeouts are redrawn at each attempt, within their bounds, and differ by seed', () => {
    const peer = solo(disk(logOf(three, [1])));
    const attempts: number[] = [];
    let since = 0;
    for (let tick = 0; tick < 2000; tick++) {
      since++;
      peer.raft.tick();
      if (ofType(drain(peer), 'PreVote').length > 0) {
        attempts.push(since);
        since = 0;
      }
    }
    expect(Math.min(...attempts)).toBe(10);
    expect(Math.max(...attempts)).toBe(19);
    expect(new Set(attempts).size).toBe(10);
  });

  test('E12 five nodes with neighbouring seeds: split votes stay rare', () => {
    let split = 0;
    for (let seed = 0; seed < 100; seed++) {
      const network = new Network();
      const first = membershipEntry(1, 1, voters(1, 2, 3, 4, 5));
      for (const number of [1, 2, 3, 4, 5])
        network.add(number, disk([first]), { seed: seed * 5 + number });
      if (network.tickUntilLeader().status.term > 2) split++;
    }
    expect(split).toBeLessThan(20);
  });

  test('E14 a single voter elects itself at once after a restart and keeps what it acknowledged', () => {
    const network = cluster(1);
    network.settle();
    const peer = network.peer(1);
    network.propose(peer, 'a', 'b');
    peer.restart();
    peer.applied = [];
    network.settle();
    expect(peer.status.role).toBe('leader');
    expect(texts(peer.applied)).toEqual(['a', 'b']);
  });

  test('E14 a single voter leads, and commits, only what is durable', () => {
    const network = new Network();
    const peer = network.add(1, disk([membershipEntry(1, 1, voters(1))]));
    peer.autoSync = false;
    network.settle();
    expect(peer.status.role).toBe('candidate');
    peer.sync();
    network.settle();
    expect(peer.status.role).toBe('leader');
    peer.raft.propose([noBytes]);
    network.settle();
    expect(peer.status.commitIndex).toBe(0);
    peer.sync();
    network.settle();
    expect(peer.status.commitIndex).toBe(3);
  });

  test('E15 a new leader commits entries of earlier terms without any traffic', () => {
    const network = new Network();
    for (const number of [1, 2, 3]) network.add(number, disk(logOf(three, [1, 1, 2])));
    network.elect(2);
    for (const peer of network.peers.values()) expect(peer.status.commitIndex).toBe(5);
  });
});

describe('stickiness, hints and transfer', () => {
  test('a vote is refused while a leader is heard, and granted on the leader’s own word', () => {
    const peer = solo(disk(logOf(three, [1])));
    peer.raft.step(heartbeat(1, 2));
    drain(peer);
    peer.raft.step(requestVote(2, 3, [1, 2]));
    peer.raft.step(preVote(2, 3, [1, 2]));
    const sent = drain(peer);
    expect(grants(sent)).toEqual([]);
    expect(ofType(sent, 'PreVoteResponse').map(({ granted }) => granted)).toEqual([false]);
    expect(peer.status).toMatchObject({ term: 1, leader: id(2) });
    peer.raft.step(requestVote(2, 3, [1, 2], true));
    expect(grants(drain(peer))).toEqual([true]);
  });

  test('campaign() asks for pre-votes at once, and changes nothing for a leader', () => {
    const network = cluster(3);
    for (const peer of network.peers.values()) forgetLeader(peer);
    network.peer(2).raft.campaign();
    expect(ofType(drain(network.peer(2)), 'PreVote')).toHaveLength(2);
    const leader = network.elect(1);
    leader.raft.campaign();
    expect(leader.status.role).toBe('leader');
  });

  test('transferLeadership() elects a voter that is up to date, within a round trip', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.propose(leader, 'a');
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    expect(leader.raft.propose([noBytes])).toMatchObject({ ok: false, reason: 'transferring' });
    network.settle();
    expect(network.peer(3).status.role).toBe('leader');
    expect(leader.status).toMatchObject({ role: 'follower', leader: id(3), transferTarget: null });
  });

  test('transferLeadership() brings a lagging voter up to date first', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    network.propose(leader, 'a', 'b', 'c');
    network.heal();
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    network.tick(3);
    expect(network.peer(3).status.role).toBe('leader');
    expect(texts(network.peer(3).applied)).toEqual(['a', 'b', 'c']);
  });

  test('transferLeadership() to a dead voter ends after an election timeout', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.isolate(3);
    network.propose(leader, 'a');
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    expect(leader.raft.transferLeadership(id(2))).toBe(false);
    network.tick(9);
    expect(leader.status.transferTarget).toBe(id(3));
    network.tick(1);
    expect(leader.status.transferTarget).toBeNull();
    network.propose(leader, 'b');
    expect(texts(leader.applied)).toEqual(['a', 'b']);
  });

  test('transferLeadership() says it again when its word was lost', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    network.drop = ({ type }) => type === 'TimeoutNow';
    expect(leader.raft.transferLeadership(id(3))).toBe(true);
    network.settle();
    expect(leader.status.role).toBe('leader');
    network.heal();
    network.tick(1);
    expect(network.peer(3).status.role).toBe('leader');
  });

  test('transferLeadership() refuses oneself, strangers, learners, and non-leaders', () => {
    const network = cluster(3);
    const leader = network.elect(1);
    expect(leader.raft.transferLeadership(id(1))).toBe(false);
    expect(leader.raft.transferLeadership(id(9))).toBe(false);
    expect(network.peer(2).raft.transferLeadership(id(3))).toBe(false);
  });
});
