/** `quorate import` */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromJsonValue, isQuorateError, QuorateError } from '@quorate/client';
import { checkEntry, importEntries } from '@quorate/join/node';
import type { ExportedEntry } from '@quorate/join/node';
import type { Run } from '../command.ts';
import { positionals } from '../flags.ts';
import { clientOf } from '../gateway-client.ts';
import { Progress } from '../progress.ts';

export const runImport: Run = async (flags, { output }) => {
  const [path = ''] = positionals(flags, ['FILE'], 1);
  const client = await clientOf(flags);
  const source = await Source.open(path);
  const progress = new Progress('Imported', process.stderr, output.json);
  try {
    // Once to its end before anything is written: one bad line must not leave half a file.
    let line = 0;
    for await (const entry of entriesOf(source)) {
      line += 1;
      try {
        checkEntry(entry);
      } catch (error) {
        throw atLine(source.name, line, error);
      }
    }
    const count = await importEntries(client.kv, entriesOf(source, progress)).catch(
      (error: unknown) => {
        throw isQuorateError(error)
          ? atLine(source.name, Number(error.details['entry']), error)
          : error;
      },
    );
    output.result({ count }, `Imported ${count} keys`);
    return 0;
  } finally {
    progress.end();
    client.close();
    await source.close();
  }
};

/** A file to be read twice; what comes on stdin is put aside first. */
class Source {
  readonly name: string;
  readonly path: string;
  readonly #temporary: string | null;

  private constructor(name: string, path: string, temporary: string | null) {
    this.name = name;
    this.path = path;
    this.#temporary = temporary;
  }

  static async open(path: string): Promise<Source> {
    if (path !== '-') {
      if (!(await stat(path)).isFile()) throw new TypeError(`Cannot import ${path}: it is no file`);
      return new Source(path, path, null);
    }
    const temporary = await mkdtemp(join(tmpdir(), 'quorate-import-'));
    const aside = join(temporary, 'lines');
    try {
      await pipeline(process.stdin, createWriteStream(aside, { mode: 0o600 }));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    return new Source('stdin', aside, temporary);
  }

  async close(): Promise<void> {
    if (this.#temporary !== null) await rm(this.#temporary, { recursive: true, force: true });
  }
}

/** One entry a line; throws `TypeError` naming the line. */
async function* entriesOf(
  source: Source,
  progress?: Progress,
): AsyncGenerator<ExportedEntry, undefined> {
  let number = 0;
  for await (const text of linesOf(source)) {
    number += 1;
    progress?.add(text.length + 1);
    yield entryOf(text, `${source.name}, line ${number}`);
  }
}

function entryOf(text: string, place: string): ExportedEntry {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    throw new TypeError(`Cannot import ${place}: wanted {"key":…,"value":…}`);
  }
  const names = typeof line === 'object' && line !== null ? Object.keys(line).sort().join(' ') : '';
  if (names !== 'key value') {
    throw new TypeError(`Cannot import ${place}: wanted {"key":…,"value":…} and nothing else`);
  }
  const { key, value } = line as { readonly key: string; readonly value: unknown };
  try {
    return { key, value: fromJsonValue(value, 'value') as ExportedEntry['value'] };
  } catch (error) {
    throw new TypeError(`Cannot import ${place}: ${(error as Error).message}`, { cause: error });
  }
}

/** Lines of UTF-8, none longer than an entry can be. */
async function* linesOf({ path, name }: Source): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let count = 0;
  const chunks: AsyncIterable<Buffer> = createReadStream(path);
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw new TypeError(`Cannot import ${name}, line ${count + 1}: it is no UTF-8`);
    }
  };
  for await (const chunk of chunks) {
    const lines = (rest + decode(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      count += 1;
      yield line.endsWith('\r') ? line.slice(0, -1) : line;
    }
    if (rest.length > lineLengthMax) {
      throw new TypeError(`Cannot import ${name}, line ${count + 1}: it is too long`);
    }
  }
  rest += decode();
  if (rest !== '') yield rest;
}

/** The failure with its line: entries and lines count alike. */
function atLine(name: string, line: number, error: unknown): unknown {
  if (!isQuorateError(error)) return error;
  const { outcome, retryable, details } = error;
  const why = error.message.replace(/^Cannot import entry \d+: /, '');
  return new QuorateError(error.code, `Cannot import ${name}, line ${line}: ${why}`, {
    outcome,
    retryable,
    details,
    cause: error,
  });
}

/** JSON of the longest value, every byte of it escaped. */
const lineLengthMax = 8 * 1024 * 1024;
