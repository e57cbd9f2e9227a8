/** A peer can never make the machine throw: not with any message that decodes, in any order. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entry, Message } from '../src/index.ts';
import { decodeMessage, encodeMessage } from '../src/index.ts';
import { disk, drain, entry, id, logOf, membershipEntry, solo, voters } from './network.ts';

const number = fc.nat(8);
const envelope = fc.record({
  from: fc.integer({ min: 1, max: 4 }).map(id),
  to: fc.constant(id(1)),
  term: fc.integer({ min: 0, max: 6 }),
});
const entryId = fc.record({ term: fc.nat(6), index: number });
const entries: fc.Arbitrary<Entry[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.nat(6), number).map(([term, index]) => entry(term, index)),
    fc.nat(6).map((term) => membershipEntry(term, 3, voters(1, 2))),
    fc.constant<Entry>({ term: 2, index: 3, type: 'membership', data: new Uint8Array([9]) }),
  ),
  { maxLength: 3 },
);
const meta = fc
  .tuple(fc.nat(6), number)
  .map(([term, index]) => ({ term, index, membership: voters(1, 2, 3), membershipIndex: 1 }));

const body = fc.oneof(
  fc.record({ type: fc.constant('PreVote' as const), lastEntry: entryId }),
  fc.record({
    type: fc.constant('PreVoteResponse' as const),
    granted: fc.boolean(),
    votedFor: fc.option(fc.integer({ min: 1, max: 4 }).map(id)),
  }),
  fc.record({ type: fc.constant('RequestVoteResponse' as const), granted: fc.boolean() }),
  fc.record({
    type: fc.constant('RequestVote' as const),
    lastEntry: entryId,
    transfer: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('AppendEntries' as const),
    prevEntry: entryId,
    leaderCommit: number,
    entries,
  }),
  fc.record({
    type: fc.constant('AppendEntriesResponse' as const),
    matchIndex: number,
    rejected: fc.option(fc.record({ index: number, hint: entryId })),
  }),
  fc.record({ type: fc.constant('Heartbeat' as const), leaderCommit: number, readRound: number }),
  fc.record({ type: fc.constant('HeartbeatResponse' as const), readRound: number }),
  fc.record({ type: fc.constant('InstallSnapshot' as const), meta }),
  fc.record({ type: fc.constant('TimeoutNow' as const) }),
  fc.record({ type: fc.constant('ReadIndex' as const), requestId: number }),
  fc.record({
    type: fc.constant('ReadIndexResponse' as const),
    requestId: number,
    index: fc.option(number),
  }),
);
const anything = fc.tuple(envelope, body).map(([head, rest]) => ({ ...head, ...rest }));
/** What gets past the decoder. */
const message = anything.filter((each) => {
  try {
    decodeMessage(encodeMessage(each));
    return true;
  } catch {
    return false;
  }
});

type Input = Message | 'tick' | 'sync' | 'propose' | 'read' | 'campaign' | 'transfer';
const input: fc.Arbitrary<Input> = fc.oneof(
  { weight: 4, arbitrary: message },
  fc.constantFrom<Input>('tick', 'tick', 'sync', 'propose', 'read', 'campaign', 'transfer'),
);

test('step() never throws, whatever comes; after a fatal Ready the machine is inert', () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 60 }), fc.boolean(), (inputs, autoSync) => {
      const peer = solo(disk(logOf(voters(1, 2, 3), [1, 2]), { commitIndex: 1 }));
      peer.autoSync = autoSync;
      let before = peer.status;
      for (const each of inputs) {
        const inert = peer.fatal !== null;
        if (each === 'tick') peer.raft.tick();
        else if (each === 'sync') peer.sync();
        else if (each === 'propose') peer.raft.propose([new Uint8Array(1)]);
        else if (each === 'read') peer.raft.readIndex(1);
        else if (each === 'campaign') peer.raft.campaign();
        else if (each === 'transfer') peer.raft.transferLeadership(id(2));
        else peer.raft.step(each);
        drain(peer);
        const now = peer.status;
        expect(now.term).toBeGreaterThanOrEqual(before.term);
        expect(now.commitIndex).toBeGreaterThanOrEqual(before.commitIndex);
        expect(now.lastApplied).toBeGreaterThanOrEqual(before.lastApplied);
        if (inert) expect(now).toEqual(before);
        before = now;
      }
    }),
    { numRuns: 3000 },
  );
});

test('whatever the machine says can be encoded, and decodes to the same', () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
      const peer = solo(disk(logOf(voters(1, 2, 3), [1, 2]), { commitIndex: 1 }));
      for (const each of inputs) {
        if (each === 'tick') for (let i = 0; i < 5; i++) peer.raft.tick();
        else if (each === 'propose') peer.raft.propose([new Uint8Array(1)]);
        else if (each === 'campaign') peer.raft.campaign();
        else if (typeof each !== 'string') peer.raft.step(each);
        for (const sent of drain(peer)) expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }
    }),
    { numRuns: 500 },
  );
});
