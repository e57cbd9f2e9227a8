import { describe, expect, test } from 'vitest';
import { Raft, plainMembership } from '../src/index.ts';
import type { Entry, Message } from '../src/index.ts';
import { entry, id, membershipEntry } from './network.ts';

describe('a voter whose removal is in its log, and nowhere else (thesis §4.2.2)', () => {
  const [remaining, leaving] = [id(1), id(2)];
  const log: readonly Entry[] = [
    membershipEntry(1, 1, plainMembership({ voters: [leaving], learners: [] })),
    membershipEntry(1, 2, {
      voters: [remaining],
      votersOutgoing: [leaving],
      learners: [],
      learnersNext: [],
    }),
    membershipEntry(1, 3, plainMembership({ voters: [remaining], learners: [] })),
    entry(1, 4),
  ];

  function start(nodeId: string, entryCount: number, seed: number, commitIndex = 2): Raft {
    return new Raft(
      { nodeId, seed },
      {
        hardState: { currentTerm: 1, votedFor: null, commitIndex },
        snapshot: null,
        entries: log.slice(0, entryCount),
        appliedIndex: 0,
      },
    );
  }

  test('stands for election, for its log is the one that the others need (M5)', () => {
    const rafts = new Map([
      [remaining, start(remaining, 2, 1)],
      [leaving, start(leaving, 4, 2)],
    ]);
    const run = (tickCount: number): void => {
      for (let tick = 0; tick < tickCount; tick++) {
        for (const raft of rafts.values()) raft.tick();
        for (let quiet = false; !quiet;) {
          quiet = true;
          const messages: Message[] = [];
          for (const raft of rafts.values()) {
            for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
              quiet = false;
              expect(ready.fatal).toBe(null);
              messages.push(...ready.messages);
              if (ready.persist !== null) raft.persisted(ready.persist.number);
              const applied = ready.committed.at(-1);
              if (applied !== undefined) raft.applied(applied.index);
            }
          }
          for (const message of messages) rafts.get(message.to)?.step(message);
        }
      }
    };
    run(400);
    const status = rafts.get(remaining)?.status();
    expect(status?.role).toBe('leader');
    expect(status?.commitIndex).toBeGreaterThanOrEqual(4);
    expect(rafts.get(leaving)?.status().role).toBe('follower');
  });

  test('does not stand any more once its removal is committed (E6)', () => {
    const raft = start(leaving, 4, 3, 3);
    const asked: Message[] = [];
    for (let tick = 0; tick < 400; tick++) {
      raft.tick();
      for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
        asked.push(...ready.messages);
        const applied = ready.committed.at(-1);
        if (applied !== undefined) raft.applied(applied.index);
      }
    }
    expect(asked).toEqual([]);
    expect(raft.status().term).toBe(1);
  });
});
