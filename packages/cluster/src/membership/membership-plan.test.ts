import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planMembership } from './membership-plan.ts';
import type { Plan, PlanOptions, Seat } from './membership-plan.ts';

const electionTimeoutMs = 1_000;
const replaceAfterMs = 10_000;

function seat(nodeId: string, more: Partial<Seat> = {}): Seat {
  return {
    nodeId,
    voter: false,
    durable: true,
    runtime: 'node',
    domain: '',
    mayVote: true,
    silentMs: 0,
    uptimeMs: 0,
    heard: (more.silentMs ?? 0) < electionTimeoutMs,
    caughtUp: true,
    leaving: false,
    refused: false,
    vacating: false,
    ...more,
  };
}

const voter = (nodeId: string, more: Partial<Seat> = {}): Seat =>
  seat(nodeId, { voter: true, ...more });

function plan(seats: readonly Seat[], more: Partial<PlanOptions> = {}): Plan | null {
  return planMembership({
    seats,
    leader: 'a',
    maxVoters: 5,
    voting: 'auto',
    replaceAfterMs,
    forgetAfterMs: 600_000,
    forgetMemoryAfterMs: 30_000,
    joining: [],
    ...more,
  });
}

describe('planMembership()', () => {
  test('a fresh replica that asks becomes a learner first', () => {
    expect(plan([voter('a')], { joining: ['b'] })).toEqual({ voters: ['a'], learners: ['b'] });
    expect(plan([voter('a')], { joining: ['a'] })).toBeNull();
  });

  test('growth goes 1, 3, 5 and waits for a second and a fourth in pairs', () => {
    expect(plan([voter('a'), seat('b')])).toBeNull();
    expect(plan([voter('a'), seat('b'), seat('c')])?.voters).toEqual(['a', 'b', 'c']);
    const three = [voter('a'), voter('b'), voter('c')];
    expect(plan([...three, seat('d')])).toBeNull();
    expect(plan([...three, seat('d'), seat('e')])?.voters).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(plan([...three, seat('d'), seat('e')], { maxVoters: 3 })).toBeNull();
  });

  test('Z55 a refused learner goes at once, a refused voter as one that is silent', () => {
    const refused = { refused: true, silentMs: electionTimeoutMs };
    const trio = [voter('a'), voter('b')];
    expect(plan([...trio, voter('c'), seat('d', refused)])).toEqual({
      voters: ['a', 'b', 'c'],
      learners: [],
    });
    expect(plan([...trio, voter('c', refused), seat('d')])).toBeNull();
    const gone = { ...refused, silentMs: replaceAfterMs };
    const first = plan([...trio, voter('c', gone), seat('d')]);
    expect(first).toEqual({ voters: ['a', 'b', 'd'], learners: ['c'] });
    // Nobody can take its seat, so it keeps that.
    expect(plan([...trio, voter('c', gone)])).toBeNull();
  });

  test('Z19 one that has not caught up or was not heard gets no seat', () => {
    expect(plan([voter('a'), seat('b'), seat('c', { caughtUp: false })])).toBeNull();
    expect(plan([voter('a'), seat('b'), seat('c', { silentMs: electionTimeoutMs })])).toBeNull();
  });

  test('Z19 no seat moves without a majority heard of the old and of the new set', () => {
    const silent = { silentMs: replaceAfterMs };
    const seats = [voter('a'), voter('b', silent), voter('c', silent), seat('d'), seat('e')];
    expect(plan(seats)).toBeNull();
  });

  test('Z18 a voter silent for replaceAfter is replaced by a caught-up learner and kept as one', () => {
    const seats = [voter('a'), voter('b'), voter('c', { silentMs: replaceAfterMs }), seat('d')];
    expect(plan(seats)).toEqual({ voters: ['a', 'b', 'd'], learners: ['c'] });
    const early = seats.map((one) => (one.nodeId === 'c' ? { ...one, silentMs: 9_999 } : one));
    expect(plan(early)).toBeNull();
  });

  test('M7 a silent voter that nobody can replace keeps its seat: never 3 to 2', () => {
    const silent = voter('c', { silentMs: replaceAfterMs });
    expect(plan([voter('a'), voter('b'), silent])).toBeNull();
    const late = seat('d', { caughtUp: false });
    expect(plan([voter('a'), voter('b'), silent, late])).toBeNull();
  });

  test('M8 of five voters, three that look dead stay, two are replaced', () => {
    const dead = { silentMs: replaceAfterMs };
    const spare = [seat('f'), seat('g'), seat('h')];
    expect(
      plan([
        voter('a'),
        voter('b'),
        voter('c', dead),
        voter('d', dead),
        voter('e', dead),
        ...spare,
      ]),
    ).toBeNull();
    expect(
      plan([voter('a'), voter('b'), voter('c'), voter('d', dead), voter('e', dead), ...spare])
        ?.voters,
    ).toEqual(['a', 'b', 'c', 'f', 'g']);
  });

  test('Z18 a voter that leaves hands its seat to a learner in the same change', () => {
    const leaving = voter('c', { leaving: true });
    expect(plan([voter('a'), voter('b'), leaving, seat('d')])).toEqual({
      voters: ['a', 'b', 'd'],
      learners: [],
    });
  });

  test('Z18 a voter that leaves without a stand-in makes it one voter, never two', () => {
    const leaving = voter('c', { leaving: true });
    expect(plan([voter('a'), voter('b'), leaving])).toEqual({ voters: ['a'], learners: ['b'] });
  });

  test('Z18 the last voter cannot leave without a stand-in', () => {
    expect(plan([voter('a', { leaving: true })])).toBeNull();
    expect(plan([voter('a', { leaving: true }), seat('b')])).toEqual({
      voters: ['b'],
      learners: [],
    });
  });

  test('Z18 a voter about to stop moves its seat to a learner and stays one, or keeps it', () => {
    const vacating = voter('a', { vacating: true });
    expect(plan([vacating, seat('b')])).toEqual({ voters: ['b'], learners: ['a'] });
    expect(plan([vacating])).toBeNull();
    expect(plan([voter('a'), voter('b'), voter('c', { vacating: true })])).toBeNull();
  });

  test('Z16 memory does not vote beside disks: it yields as soon as a disk has caught up', () => {
    const memory = { durable: false };
    expect(plan([voter('a', memory), seat('b')])).toEqual({ voters: ['b'], learners: ['a'] });
    expect(plan([voter('a', memory), seat('b', { caughtUp: false })])).toBeNull();
    expect(plan([voter('a', memory), voter('b', memory), voter('c', memory), seat('d')])).toEqual({
      voters: ['d'],
      learners: ['a', 'b', 'c'],
    });
    expect(plan([voter('a'), seat('b', memory), seat('c', memory)])).toBeNull();
    expect(plan([voter('a'), seat('b', memory), seat('c')])).toBeNull();
  });

  test('Z16 where nobody has a disk memory votes', () => {
    const memory = { durable: false };
    expect(plan([voter('a', memory), seat('b', memory), seat('c', memory)])?.voters).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('M9 a dead learner is forgotten after its time, one in memory sooner, a voter never', () => {
    const three = [voter('a'), voter('b'), voter('c', { silentMs: 700_000 })];
    expect(plan([...three, seat('d', { silentMs: 599_999 })])).toBeNull();
    expect(plan([...three, seat('d', { silentMs: 600_000 })])?.learners).toEqual([]);
    const memory = seat('d', { silentMs: 30_000, durable: false });
    expect(plan([...three, memory])?.learners).toEqual([]);
  });

  test('Z19 a leader that has just begun moves no seat to those it only hopes to hear', () => {
    const hoped = { heard: false };
    const five = [voter('a'), voter('b', hoped), voter('c', hoped), voter('d'), voter('e')];
    const leaves = five.map((one) => (one.nodeId === 'e' ? { ...one, leaving: true } : one));
    // Of four that stay three are kept, and never the two that may be dead without the one that lives.
    expect(plan(leaves)?.voters).toEqual(['a', 'b', 'd']);
    const alone = leaves.map((one) => (one.nodeId === 'd' ? { ...one, ...hoped } : one));
    expect(plan(alone)).toBeNull();
  });

  describe('with pages', () => {
    const page = { runtime: 'page' } as const;
    const long = { uptimeMs: 60_000 };

    test('pages vote while there is no anchor, those first that are here longest', () => {
      expect(plan([voter('a', page), seat('b', page), seat('c', page)])?.voters).toEqual([
        'a',
        'b',
        'c',
      ]);
      const seats = [
        voter('a', page),
        seat('b', { ...page, uptimeMs: 5 }),
        seat('c', { ...page, uptimeMs: 7 }),
        seat('d', { ...page, uptimeMs: 6 }),
      ];
      expect(plan(seats, { maxVoters: 3 })?.voters).toEqual(['a', 'c', 'd']);
    });

    test('where an anchor votes pages listen', () => {
      const pages = [seat('b', page), seat('c', page), seat('d', page)];
      expect(plan([voter('a'), ...pages])).toBeNull();
      expect(plan([voter('a'), ...pages], { voting: 'anchors' })).toBeNull();
      expect(plan([voter('a'), ...pages], { voting: 'everyone' })?.voters).toHaveLength(3);
    });

    test('an anchor among voting pages earns its vote by a minute of uptime, in one joint change', () => {
      const pages = [voter('a', page), voter('b', page), voter('c', page)];
      expect(plan([...pages, seat('n', { uptimeMs: 59_999 })])).toBeNull();
      expect(plan([...pages, seat('n', long)])).toEqual({
        voters: ['n'],
        learners: ['a', 'b', 'c'],
      });
      // Who said that only anchors vote waits for none to earn it.
      expect(plan([...pages, seat('n')], { voting: 'anchors' })?.voters).toEqual(['n']);
      expect(plan([...pages, seat('n', long)], { voting: 'everyone' })).toBeNull();
    });

    test('an anchor that is away lets no page vote in its place', () => {
      const away = { silentMs: replaceAfterMs };
      const seats = [voter('a'), voter('b'), voter('c', away), seat('p', page)];
      expect(plan(seats)).toBeNull();
      expect(plan([...seats, seat('d')])?.voters).toEqual(['a', 'b', 'd']);
    });

    test('the last anchor that leaves hands its vote to a page', () => {
      const seats = [voter('a', { leaving: true }), seat('p', page), seat('q', page)];
      expect(plan(seats)).toEqual({ voters: ['p'], learners: ['q'] });
    });

    test('one that wants no vote gets none, and gives up the one it has', () => {
      const never = { mayVote: false };
      expect(plan([voter('a'), seat('b', never), seat('c', never)])).toBeNull();
      expect(plan([voter('a'), voter('b'), voter('c', never), seat('d')])).toEqual({
        voters: ['a', 'b', 'd'],
        learners: ['c'],
      });
    });
  });

  describe('Z16 failure domains', () => {
    const on = (domain: string): Partial<Seat> => ({ domain });

    test('of three domains none gets a majority, whoever came first', () => {
      const seats = [
        voter('a', on('x')),
        seat('b', on('x')),
        seat('c', on('x')),
        seat('d', on('y')),
        seat('e', on('z')),
      ];
      expect(plan(seats, { maxVoters: 3 })?.voters).toEqual(['a', 'd', 'e']);
    });

    test('a domain that holds a majority gives seats to late comers, and that is stable', () => {
      const crowded = [voter('a', on('x')), voter('b', on('x')), voter('c', on('x'))];
      const both = [seat('d', on('y')), seat('e', on('z'))];
      const next = plan([...crowded, ...both], { maxVoters: 3 });
      expect(next?.voters).toHaveLength(3);
      expect(next?.voters.filter((id) => 'abc'.includes(id))).toEqual(['a']);
      const after = [...crowded, ...both].map((one) => ({
        ...one,
        voter: next?.voters.includes(one.nodeId) === true,
      }));
      expect(plan(after, { maxVoters: 3 })).toBeNull();
    });

    test('of three zones none gets a majority, however many hosts it has', () => {
      const seats = [
        voter('a', on('zone p/host 1')),
        seat('b', on('zone p/host 2')),
        seat('c', on('zone p/host 3')),
        seat('d', on('zone q/host 4')),
        seat('e', on('zone r/host 5')),
      ];
      expect(plan(seats, { maxVoters: 3 })?.voters).toEqual(['a', 'd', 'e']);
      const crowded = seats.map((one) => ({ ...one, voter: 'abc'.includes(one.nodeId) }));
      expect(plan(crowded, { maxVoters: 3 })?.voters).toEqual(['a', 'd', 'e']);
    });

    test('of two zones one has a majority, but none of its hosts has', () => {
      const crowded = [
        voter('a', on('zone p/host 1')),
        voter('b', on('zone p/host 1')),
        voter('c', on('zone p/host 1')),
      ];
      const free = [seat('d', on('zone p/host 2')), seat('e', on('zone q/host 3'))];
      const next = plan([...crowded, ...free], { maxVoters: 3 })?.voters ?? [];
      expect(next.filter((id) => 'abc'.includes(id))).toEqual(['a']);
    });

    test('a member without a zone is a zone of its own', () => {
      const seats = [
        voter('a', on('zone p/host 1')),
        seat('b', on('zone p/host 2')),
        seat('c', on('host 3')),
        seat('d', on('host 4')),
      ];
      expect(plan(seats, { maxVoters: 3 })?.voters).toEqual(['a', 'c', 'd']);
    });

    test('whoever sits where, seats come to rest, and no zone keeps a majority that others could take', () => {
      const domain = fc.constantFrom('p/1', 'p/2', 'q/1', 'q/2', 'r/1', 's', '');
      fc.assert(
        fc.property(fc.array(domain, { minLength: 3, maxLength: 9 }), (domains) => {
          let seats = domains.map((one, i) => seat('abcdefghi'[i] ?? '', { domain: one }));
          seats = seats.map((one, i) => ({ ...one, voter: i < 3 }));
          let rounds = 0;
          for (;;) {
            const next = plan(seats);
            if (next === null) break;
            seats = seats.map((one) => ({ ...one, voter: next.voters.includes(one.nodeId) }));
            expect((rounds += 1)).toBeLessThan(6);
          }
          const zones = seats.map((one) => one.domain.split('/')[0] || one.nodeId);
          const voting = zones.filter((_, i) => seats[i]?.voter === true);
          const most = Math.max(...voting.map((zone) => voting.filter((z) => z === zone).length));
          const outside = zones.filter((zone, i) => {
            const isFull = voting.filter((z) => z === zone).length * 2 + 2 > voting.length;
            return seats[i]?.voter === false && !isFull;
          });
          if (new Set(zones).size >= 3 && outside.length > 0) {
            expect(most).toBeLessThan(voting.length / 2);
          }
        }),
        { numRuns: 300 },
      );
    });

    test('with one or two domains there is nothing to spread', () => {
      const three = [voter('a', on('x')), voter('b', on('x')), voter('c', on('x'))];
      expect(plan([...three, seat('d', on('y'))], { maxVoters: 3 })).toBeNull();
    });
  });

  test('Z16 Z18 Z19 whatever is planned obeys every rule', () => {
    const someSeat = fc.record({
      voter: fc.boolean(),
      durable: fc.boolean(),
      silentMs: fc.constantFrom(0, 0, 0, 999, 1_000, 9_999, 10_000, 30_000, 700_000),
      answered: fc.constantFrom(true, true, true, false),
      caughtUp: fc.boolean(),
      leaving: fc.constantFrom(false, false, false, true),
      vacating: fc.constantFrom(false, false, false, true),
      refused: fc.constantFrom(false, false, false, true),
      mayVote: fc.constantFrom(true, true, true, false),
      runtime: fc.constantFrom<'node' | 'page'>('node', 'node', 'page'),
      domain: fc.constantFrom('', '', 'x', 'y', 'z', 'p/x', 'p/y', 'q/x'),
      uptimeMs: fc.constantFrom(0, 60_000),
    });
    const world = fc.record({
      seats: fc.array(someSeat, { minLength: 1, maxLength: 10 }),
      maxVoters: fc.constantFrom(1, 3, 5),
      voterCount: fc.constantFrom(1, 3, 5),
      memoryOnly: fc.boolean(),
      joining: fc.subarray(['x', 'y', 'a']),
    });
    fc.assert(
      fc.property(world, ({ seats: drawn, maxVoters, voterCount, memoryOnly, joining }) => {
        const count = Math.min(voterCount, drawn.length % 2 === 1 ? drawn.length : 1);
        // A lawful present: the leader first and heard, 1, 3 or 5 voters of one kind.
        const seats = drawn.map(({ answered, ...one }, i): Seat => {
          const voting = i < count;
          const durable = voting ? !memoryOnly : one.durable;
          // A leader that has just begun gives everybody the benefit of the doubt, and hears nobody.
          const heard = answered && one.silentMs < electionTimeoutMs;
          const own = i === 0 ? { silentMs: 0, heard: true, caughtUp: true } : { heard };
          return { ...one, nodeId: 'abcdefghij'[i] ?? '', voter: voting, durable, ...own };
        });
        const next = plan(seats, { maxVoters, joining });
        if (next === null) return;
        const byId = new Map(seats.map((one) => [one.nodeId, one]));
        const heard = (id: string): boolean => byId.get(id)?.heard ?? false;
        const before = seats.filter((one) => one.voter);
        const incoming = next.voters.filter((id) => byId.get(id)?.voter !== true);
        const outgoing = before.filter((one) => !next.voters.includes(one.nodeId));
        expect([1, 3, 5]).toContain(next.voters.length);
        expect(new Set([...next.voters, ...next.learners]).size).toBe(
          next.voters.length + next.learners.length,
        );
        const kinds = new Set(next.voters.map((id) => byId.get(id)?.durable));
        if (incoming.length + outgoing.length === 0) {
          expect(next.voters).toEqual(before.map((one) => one.nodeId));
          return;
        }
        expect(kinds.size, 'Z16: one kind of voter').toBe(1);
        expect(next.voters.length).toBeLessThanOrEqual(Math.max(maxVoters, before.length));
        for (const id of incoming) {
          const one = byId.get(id);
          expect(one?.caughtUp).toBe(true);
          expect(one?.leaving).toBe(false);
          expect(heard(id)).toBe(true);
        }
        const majority = (ids: readonly string[]): boolean =>
          ids.filter(heard).length > ids.length / 2;
        expect(majority(before.map((one) => one.nodeId)), 'Z19: old majority heard').toBe(true);
        expect(majority(next.voters), 'Z19: new majority heard').toBe(true);
        const lost = outgoing.filter((one) => !heard(one.nodeId)).length;
        expect(lost).toBeLessThanOrEqual((before.length - 1) / 2);
        // Fewer seats than before: only because somebody left for good, or gave way to a better voter.
        if (next.voters.length < before.length) {
          const gaveWay = before.some((one) => !one.durable) && kinds.has(true);
          const pagesGaveWay =
            outgoing.some((one) => one.runtime === 'page') &&
            next.voters.some((id) => byId.get(id)?.runtime === 'node');
          expect(gaveWay || pagesGaveWay || before.some((one) => one.leaving)).toBe(true);
        }
        for (const one of before) {
          const goes = outgoing.includes(one) && !one.leaving;
          if (goes) expect(next.learners, 'who lost a seat listens on').toContain(one.nodeId);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
