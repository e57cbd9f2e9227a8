import { systemClock } from '@quorate/contracts';
import { expect, test } from 'vitest';
import { Budget } from './budget.ts';
import { defaultRelayLimits, workShares } from './limits.ts';
import { MeetingPoint } from './meeting-point.ts';
import { RememberedChecks } from './remembered-checks.ts';
import { ServedTopics } from './served-topics.ts';
import { RelaySession } from './session.ts';
import type { SessionOptions } from './session.ts';
import { Turns } from './turns.ts';

/** Sessions of one address whose other side does not read. */
function sessionsOf(unsentBytesMax: number): { open(): RelaySession; readonly ends: string[] } {
  const clock = { ...systemClock, setTimeout: () => () => {} };
  const sessions = new Set<RelaySession>();
  const ends: string[] = [];
  const open = (): RelaySession => {
    const session = new RelaySession({
      stream: {
        isOpen: true,
        unsentBytes: 0,
        isFull: true,
        listen: () => {},
        write: () => {},
        close: async () => {},
        abort: (reason: string) => void ends.push(reason),
        pause: () => {},
        resume: () => {},
      },
      host: 'host',
      address: 'address',
      greeting: { type: 'greeting', group: null, registerLost: false, certificate: null },
      store: null,
      refusal: { type: 'error', id: 0, code: 'FORMATION_WAITING', message: '' },
      meetingPoint: new MeetingPoint(clock),
      served: new ServedTopics(undefined),
      receipt: async () => null,
      shown: async () => {},
      checks: new RememberedChecks(() => true),
      budget: new Budget(workShares(defaultRelayLimits), () => 0),
      turns: new Turns(() => {}),
      clock,
      mayWait: (bytes) =>
        [...sessions].reduce((sum, one) => sum + one.unsentBytes, bytes) <= unsentBytesMax,
      onAnnounced: () => {},
      onEnd: () => sessions.delete(session),
    } satisfies SessionOptions);
    sessions.add(session);
    return session;
  };
  return { open, ends };
}

const frame = new Uint8Array(100 * 1024);

test('T25: what waits for all sessions of an address is bounded together; whoever is told last goes', () => {
  const { open, ends } = sessionsOf(1024 * 1024);
  const [a, b] = [open(), open()];
  for (let count = 0; count < 5; count += 1) for (const one of [a, b]) one.tell('other', frame);
  expect(ends).toEqual([]);
  b.tell('other', frame);
  expect(ends).toEqual(['does not read']);
  // What waited for it waits no more.
  a.tell('other', frame);
  expect(ends).toHaveLength(1);
});

test('T25: who has nothing waiting is told, whatever waits for his neighbours', () => {
  const { open, ends } = sessionsOf(300 * 1024);
  const [deaf, other] = [open(), open()];
  for (let count = 0; count < 2; count += 1) deaf.tell('other', frame);
  other.tell('other', new Uint8Array(1024));
  expect(ends).toEqual([]);
  other.tell('other', frame);
  expect(ends).toEqual(['does not read']);
});
