/** What may turn out to be broken, and the names under which reports say so. */

/** The properties that worlds are checked for. `docs/TESTING.md` says what each one looks at. */
export const checks = [
  'election-safety',
  'one-vote',
  'durable-vote',
  'durable-acknowledgement',
  'append-only',
  'log-matching',
  'leader-completeness',
  'own-term-commit',
  'membership',
  'quorum-overlap',
  'state-machine',
  'durable-majority',
  'apply-order',
  'linearizable',
  'acknowledged',
  'exactly-once',
  'honest-doubt',
  'call-order',
  'watch',
  'equal-state',
  'faithful-snapshot',
  'sessions',
  'identity',
  'mark',
  'secret',
  'founding',
  'register',
  'copies',
  'silence',
  'liars',
  'lateness',
  'neighbours',
  'backup',
  'generation',
  'check-quorum',
  'healthy-again',
  'stopped',
  'assertion',
  'crash',
] as const;

export type Check = (typeof checks)[number];

/** What this build does without: nothing, but where `--without` had it built so (`teeth/build.ts`). */
const off: readonly Check[] = [];

/** A property broke: the seed is a bug report. */
export class SafetyViolation extends Error {
  override readonly name = 'SafetyViolation';
  readonly check: Check;

  constructor(check: Check, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}

/**
 * Says that a property broke, and throws; comes back where the check is off, and the world goes on as
 * if nothing had been seen.
 */
export function violated(check: Check, message: string): void {
  if (isOn(check)) throw new SafetyViolation(check, message);
}

export function isOn(check: Check): boolean {
  return !off.includes(check);
}

/**
 * Which property `error` says is broken: production code's own `assertion`, or a `crash` where it is
 * an exception that nobody meant to throw.
 */
export function checkOf(error: unknown): Check {
  if (error instanceof SafetyViolation) return error.check;
  return error instanceof Error && error.name === 'AssertionError' ? 'assertion' : 'crash';
}

/** One line for a violation; with the way it came about for anything else. */
export function describeFailure(error: unknown): string {
  if (error instanceof SafetyViolation) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
