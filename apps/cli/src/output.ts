/** What a command says: plain text for a person, or one JSON object per line for a program. */
import { UsageError } from './flags.ts';

/** Where text goes; `process.stdout` and `process.stderr` are two. */
export type Sink = { write(text: string): unknown };

export class Output {
  readonly json: boolean;
  readonly #out: Sink;
  readonly #err: Sink;

  constructor(options: { readonly json: boolean; readonly out: Sink; readonly err: Sink }) {
    this.json = options.json;
    this.#out = options.out;
    this.#err = options.err;
  }

  /** The result: `json` as one line of JSON for a program, `text` for a person; '' prints nothing. */
  result(json: unknown, text: string): void {
    if (this.json) this.#out.write(`${JSON.stringify(json)}\n`);
    else if (text !== '') this.#out.write(`${text}\n`);
  }

  /** A sentence for people: programs have the events. */
  say(text: string): void {
    if (!this.json) this.#out.write(`${text}\n`);
  }

  /** Something worth knowing that is no result: always text, always aside. */
  note(text: string): void {
    this.#err.write(`${text}\n`);
  }
}

export type Complaint = {
  readonly code: string;
  readonly outcome: 'not-applied' | 'unknown';
  readonly message: string;
};

/** What to tell about a failure: codes and outcomes of ours as they are, the system's code else. */
export function complaintOf(error: unknown): Complaint {
  const message = error instanceof Error ? error.message : String(error);
  const { code, outcome } = (error ?? {}) as {
    readonly code?: unknown;
    readonly outcome?: unknown;
  };
  if (error instanceof Error && error.name === 'QuorateError' && typeof code === 'string') {
    return { code, outcome: outcome === 'unknown' ? 'unknown' : 'not-applied', message };
  }
  if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) {
    return { code: 'BAD_REQUEST', outcome: 'not-applied', message };
  }
  return { code: typeof code === 'string' ? code : 'INTERNAL', outcome: 'unknown', message };
}

/** The first digits of a NodeId: enough for a person to tell members apart. */
export function shortId(nodeId: string | null): string {
  return nodeId === null ? '-' : nodeId.slice(0, 8);
}

/** Columns aligned by blanks, the last one ragged. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
