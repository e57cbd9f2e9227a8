/** Holds what tabs were told against what is there in the end. */
/**
 * One line of a page's log. `id` tells it from all others, for a console may be told twice; `atMs` is
 * time that all pages of a machine share.
 */
export type AppEvent = {
  readonly id: string;
  readonly atMs: number;
  readonly type: string;
  readonly [detail: string]: unknown;
};

/** What a page finds in the replicated state. */
export type Found = {
  readonly total: number;
  readonly marks: readonly { readonly key: string; readonly version: number }[];
  readonly groups: readonly { readonly key: string; readonly version: number }[];
};

/**
 * Everything that is wrong, given the log of each tab; empty: nothing is. Every acknowledged write is
 * there, once; what was said not to be applied is not; the count is that of the marks; transactions
 * are whole; and no read misses what was known before it began.
 */
export function complaints(logs: readonly (readonly AppEvent[])[], found: Found): string[] {
  const events = logs.flat();
  return [...wrongMarks(events, found), ...wrongGroups(found), ...disorder(events)];
}

function wrongMarks(events: readonly AppEvent[], { total, marks }: Found): string[] {
  const wrong: string[] = [];
  // A transaction of several keys leaves its mark under the same number.
  const present = new Set(marks.map(({ key }) => key));
  const keysOf = (type: string): string[] =>
    events
      .filter((event) => event.type === type)
      .map(({ key }) => String(key).replace('group', 'mark'));
  // A browser that is killed takes the last lines of a log along, never its first one.
  const writers = new Set(
    events.filter(({ type }) => type === 'script').map(({ writer }) => String(writer)),
  );
  for (const key of keysOf('acked')) {
    if (!present.has(key)) wrong.push(`${key} was acknowledged and is lost`);
  }
  for (const key of keysOf('refused')) {
    if (present.has(key)) wrong.push(`${key} was said not to be applied and is there`);
  }
  for (const { key, version } of marks) {
    if (version !== 1) wrong.push(`${key} was applied ${version} times`);
    if (!writers.has(key.split('/')[1] ?? '')) wrong.push(`${key} is there and nobody wrote it`);
  }
  if (total !== marks.length) wrong.push(`the count is ${total} of ${marks.length} marks`);
  return wrong;
}

function wrongGroups({ groups, marks }: Found): string[] {
  const wrong: string[] = [];
  const present = new Set(marks.map(({ key }) => key));
  const parts = new Map<string, string[]>();
  for (const { key } of groups) {
    const name = key.slice(0, -2);
    parts.set(name, [...(parts.get(name) ?? []), key.slice(-1)]);
  }
  for (const [name, of] of parts) {
    const whole = of.sort().join('') === 'ab' && present.has(name.replace('group', 'mark'));
    if (!whole) wrong.push(`${name} has only ${of.join('')}`);
  }
  return wrong;
}

/** Every write has a count of its own; writes and reads see all that was known before they began. */
function disorder(events: readonly AppEvent[]): string[] {
  const wrong: string[] = [];
  const seen = events
    .filter(({ type }) => type === 'acked' || type === 'read')
    .map(({ type, atMs, fromMs, value }) => ({
      type,
      fromMs: Number(fromMs),
      toMs: atMs,
      value: Number(value),
    }));
  const values = new Set<number>();
  for (const { type, value } of seen) {
    if (type === 'acked' && values.has(value)) wrong.push(`two writes returned ${value}`);
    if (type === 'acked') values.add(value);
  }
  const byEnd = [...seen].sort((a, b) => a.toMs - b.toMs);
  let ended = 0;
  let known = 0;
  for (const one of [...seen].sort((a, b) => a.fromMs - b.fromMs)) {
    for (let next = byEnd[ended]; next !== undefined; next = byEnd[ended]) {
      if (next.toMs + clockDriftMs >= one.fromMs) break;
      known = Math.max(known, next.value);
      ended += 1;
    }
    const tooOld = one.value < known || (one.type === 'acked' && one.value === known);
    if (tooOld) wrong.push(`a ${one.type} returned ${one.value} after ${known} was known`);
  }
  return wrong;
}

/** Pages of one machine share its clock, each since a start of its own that is rounded. */
const clockDriftMs = 5;
