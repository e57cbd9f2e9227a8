/**
 * Is a history of calls on one key linearizable? Wing and Gong's search, with Lowe's memory of the
 * places it has been to: take any call that began before the first of the others returned, see
 * whether its result fits the value of that moment, go on with the rest.
 *
 * A call with an unknown outcome may have taken effect at any moment after it began, or never.
 */
export type Call =
  | { readonly type: 'read'; readonly value: Cell }
  | { readonly type: 'write'; readonly value: Cell }
  /** Writes `value` if the cell holds `expected`; `done` says whether it did. */
  | {
      readonly type: 'swap';
      readonly expected: Cell;
      readonly value: Cell;
      readonly done: boolean;
    };

/** What a key holds; null: nothing. Each value is written once. */
export type Cell = number | null;

export type Operation = {
  readonly call: Call;
  readonly beganAt: number;
  /** Null: its outcome is not known. */
  readonly endedAt: number | null;
};

export type Verdict = 'linearizable' | 'not linearizable' | 'too hard';

/** `stepsMax`: places looked at before the search is given up. */
export function checkLinearizable(
  operations: readonly Operation[],
  stepsMax: number = stepsMaxDefault,
): Verdict {
  // Calls with results first, for an unknown one is only a way out; then by their beginning.
  const calls = [...operations].sort(
    (a, b) => Number(a.endedAt === null) - Number(b.endedAt === null) || a.beganAt - b.beganAt,
  );
  const knownCount = calls.filter(({ endedAt }) => endedAt !== null).length;
  const taken = calls.map(() => false);
  const seen = new Set<string>();
  const path: { readonly position: number; readonly before: Cell }[] = [];
  let cell: Cell = null;
  let knownTaken = 0;
  let next = 0;
  for (let steps = 0; steps < stepsMax; steps++) {
    if (knownTaken === knownCount) return 'linearizable';
    const position = nextFit(calls, taken, next, cell);
    if (position !== -1) {
      taken[position] = true;
      const after = effect(calls[position] as Operation, cell);
      const place = `${after}:${placeOf(taken)}`;
      if (!seen.has(place)) {
        seen.add(place);
        path.push({ position, before: cell });
        cell = after;
        if (position < knownCount) knownTaken += 1;
        next = 0;
        continue;
      }
      taken[position] = false;
      next = position + 1;
      continue;
    }
    const last = path.pop();
    if (last === undefined) return 'not linearizable';
    taken[last.position] = false;
    if (last.position < knownCount) knownTaken -= 1;
    cell = last.before;
    next = last.position + 1;
  }
  return 'too hard';
}

/** The first call from `from` on that may come now and whose result fits; -1: none. */
function nextFit(
  calls: readonly Operation[],
  taken: readonly boolean[],
  from: number,
  cell: Cell,
): number {
  let firstEnd = Number.POSITIVE_INFINITY;
  calls.forEach(({ endedAt }, position) => {
    if (taken[position] === false && endedAt !== null) firstEnd = Math.min(firstEnd, endedAt);
  });
  for (let position = from; position < calls.length; position++) {
    const operation = calls[position];
    if (operation === undefined || taken[position] === true) continue;
    if (operation.beganAt <= firstEnd && fits(operation, cell)) return position;
  }
  return -1;
}

function fits({ call, endedAt }: Operation, cell: Cell): boolean {
  switch (call.type) {
    case 'read':
      return call.value === cell;
    case 'write':
      return true;
    case 'swap':
      // An unknown one matters only where it took effect.
      return endedAt === null ? call.expected === cell : (call.expected === cell) === call.done;
  }
}

function effect({ call, endedAt }: Operation, cell: Cell): Cell {
  if (call.type === 'read') return cell;
  if (call.type === 'swap' && endedAt !== null && !call.done) return cell;
  return call.value;
}

/** Which calls are taken, as text: sixteen to a character. */
function placeOf(taken: readonly boolean[]): string {
  let text = '';
  for (let at = 0; at < taken.length; at += 16) {
    let bits = 0;
    for (let bit = 0; bit < 16; bit++) if (taken[at + bit] === true) bits |= 1 << bit;
    text += String.fromCharCode(bits);
  }
  return text;
}

const stepsMaxDefault = 200_000;
