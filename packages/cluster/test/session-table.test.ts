import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCborMap, encodeCbor } from '@quorate/contracts';
import { SessionTable } from '../src/state/sessions.ts';
import type { CommandOutcome } from '../src/state/sessions.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nonceOf = (id: number): string => id.toString(16).padStart(16, '0');

/** What became of a number: the command that took it, or null where a resolve did. */
type Fate = { readonly command: string | null; readonly result: string; forgotten: boolean };

/** The dumb twin: every number of every session, for ever. */
class Twin {
  readonly fates: Map<number, Fate[]> = new Map();
  readonly seenAt: Map<number, number> = new Map();

  open(id: number, time: number): void {
    this.fates.set(id, []);
    this.seenAt.set(id, time);
  }

  /** `command` null: a resolve. `ran` numbers the runs. */
  call(at: Call, command: string | null, ran: number): CommandOutcome {
    const fates = this.fates.get(at.session);
    if (fates === undefined) return { type: 'expired' };
    this.seenAt.set(at.session, at.time);
    for (const fate of fates.slice(0, at.firstUnacked - 1)) fate.forgotten = true;
    if (at.seq > fates.length + 1) return { type: 'gap', nextSeq: fates.length + 1 };
    if (at.seq <= fates.length) return this.#outcome(fates, at.seq, command);
    const result = `${command ?? ''} as run ${ran}`;
    fates.push({ command, result, forgotten: false });
    if (command === null) return { type: 'dead' };
    return { type: 'result', result: bytes(result), repeated: false };
  }

  lookup(session: number, seq: number): CommandOutcome | undefined {
    const fates = this.fates.get(session);
    if (fates === undefined) return { type: 'expired' };
    return seq > fates.length ? undefined : this.#outcome(fates, seq, null);
  }

  /** Of a number that is taken; `command` null asks for whatever took it. */
  #outcome(fates: readonly Fate[], seq: number, command: string | null): CommandOutcome {
    const fate = fates[seq - 1];
    if (fate === undefined || fate.forgotten) return { type: 'forgotten' };
    if (fate.command === null) return { type: 'dead' };
    if (command !== null && command !== fate.command) return { type: 'conflict' };
    return { type: 'result', result: bytes(fate.result), repeated: true };
  }
}

type Call = {
  readonly session: number;
  readonly seq: number;
  readonly firstUnacked: number;
  readonly time: number;
};

const session = fc.integer({ min: 1, max: 3 });
const seq = fc.integer({ min: 1, max: 4 });
const firstUnacked = fc.oneof(
  { weight: 4, arbitrary: fc.constant(1) },
  fc.integer({ min: 1, max: 5 }),
);
const place = { session, seq, firstUnacked };
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ ...place, text: fc.constantFrom('a', 'b') }) },
  { weight: 3, arbitrary: fc.record({ ...place, text: fc.constant(null) }) },
  fc.record({
    seen: fc.subarray([1, 2, 3]),
    expired: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      session.map((each) => [each]),
    ),
  }),
  fc.constant('open' as const),
  fc.constant('snapshot' as const),
);

function copyOf(table: SessionTable): SessionTable {
  return SessionTable.fromCbor(decodeCborMap(encodeCbor({ sessions: table.toCbor() }))['sessions']);
}

test('C1 Z25 Z26 Z27 Z28 S4 a table says what a twin that forgets nothing says, across snapshots', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let table = new SessionTable();
      const twin = new Twin();
      let opened = 0;
      let ranCount = 0;
      const open = (time: number): void => {
        opened += 1;
        table.open(opened, nonceOf(opened), time);
        twin.open(opened, time);
      };
      open(0);
      steps.forEach((each, time) => {
        if (each === 'open') open(time);
        else if (each === 'snapshot') table = copyOf(table);
        else if ('seen' in each) {
          table.renewAndExpire(each.seen, each.expired, time);
          for (const id of each.seen) if (twin.seenAt.has(id)) twin.seenAt.set(id, time);
          for (const id of each.expired) {
            twin.fates.delete(id);
            twin.seenAt.delete(id);
          }
        } else {
          const { text, ...at } = each;
          let ran = 0;
          const outcome =
            text === null
              ? table.resolve({ type: 'resolve', ...at }, time)
              : table.command({ type: 'command', ...at, command: bytes(text) }, time, () => {
                  ran += 1;
                  return bytes(`${text} as run ${ranCount}`);
                });
          const wanted = twin.call({ ...at, time }, text, ranCount);
          expect(outcome).toEqual(wanted);
          expect(ran).toBe(wanted.type === 'result' && !wanted.repeated ? 1 : 0);
          ranCount += 1;
          expect(table.lookup(at.session, at.seq)).toEqual(twin.lookup(at.session, at.seq));
        }
        expect(table.size).toBe(twin.fates.size);
        for (let id = 1; id <= opened; id++) {
          expect(table.idOf(nonceOf(id))).toBe(twin.fates.has(id) ? id : undefined);
        }
        for (const since of [time, time - 3]) {
          const unseen = [...twin.seenAt].filter(([, at]) => at < since).map(([id]) => id);
          expect(table.unseenSince(since)).toEqual(unseen);
        }
      });
    }),
    { numRuns: 1_000 },
  );
});

test('S4 a session that resolved more than it may keep results of is in the snapshot all the same', () => {
  const table = new SessionTable();
  table.open(1, nonceOf(1), 0);
  const count = 16_400;
  for (let each = 1; each <= count; each++) {
    const resolve = { type: 'resolve', session: 1, seq: each, firstUnacked: 1 } as const;
    table.resolve(resolve, 0);
  }
  expect(table.lookup(1, 1)).toEqual({ type: 'dead' });
  expect(copyOf(table).nextSeqOf(1)).toBe(count + 1);
});
