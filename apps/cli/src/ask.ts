/** A question to the person at the terminal; what is asked stays out of stdout. */
import { createInterface } from 'node:readline/promises';

/** The line that is typed, without blanks at its ends. Rejects once `signal` is aborted. */
export async function ask(question: string, signal?: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question, signal === undefined ? {} : { signal })).trim();
  } finally {
    lines.close();
  }
}
