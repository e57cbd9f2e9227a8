/** The table of `docs/TESTING.md` that says which check finds which bug: written here, read by people. */
import type { Check } from '../violation.ts';
import type { Bug } from './bug.ts';

/** Which check found a bug first, after how many seeds; null: none did. */
export type Finding = {
  readonly bug: Bug;
  readonly found: { readonly check: Check; readonly seedCount: number } | null;
  /** Who finds it in the same seeds while that check is off; null: nobody. Undefined: not tried. */
  readonly otherwise?: Check | null;
};

const begin = '<!-- teeth: written by `pnpm sim --teeth --table` -->';
const end = '<!-- /teeth -->';

/**
 * `text` with the rows of `findings` in its table, in the order of `bugs`; rows of bugs that were not
 * looked for stay as they are, those of bugs that are no more go. Throws `RangeError` for a text
 * without the place for a table.
 */
export function withFindings(
  text: string,
  findings: readonly Finding[],
  bugs: readonly Bug[],
): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new RangeError(`Cannot write the table: wanted ${begin}`);
  const rows = new Map<string, readonly string[]>();
  for (const line of text.slice(from, to).split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    const id = /^`(.+)`$/.exec(cells[1] ?? '')?.[1];
    if (id !== undefined) rows.set(id, cells.slice(1, -1));
  }
  for (const { bug, found, otherwise } of findings) {
    const check = found === null ? 'nothing' : `\`${found.check}\``;
    const seeds = found === null ? '' : String(found.seedCount);
    const known = rows.get(bug.id) ?? [];
    // What was tried before holds as long as the same check finds it.
    const before = known[3] === check ? (known[4] ?? '') : '';
    const without = otherwise === undefined ? before : describeOtherwise(otherwise);
    rows.set(bug.id, [`\`${bug.id}\``, bug.what, bug.breaks, check, without, seeds]);
  }
  const body = bugs.flatMap(({ id }) => {
    const row = rows.get(id);
    return row === undefined ? [] : [row];
  });
  const lines = table(columns, body);
  return `${text.slice(0, from)}${begin}\n\n${lines.join('\n')}\n\n${text.slice(to)}`;
}

const columns = ['bug', 'what is wrong', 'breaks', 'found by', 'without it', 'seeds'];

export function describeOtherwise(otherwise: Check | null): string {
  return otherwise === null ? 'survives' : `\`${otherwise}\``;
}

/** As prettier would have it: every cell as wide as the widest of its column, the last one right. */
function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) =>
    Math.max(3, ...[head, ...body].map((row) => (row[i] ?? '').length)),
  );
  const last = head.length - 1;
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => pad(row[i] ?? '', width, i === last)).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    i === last ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)];
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
