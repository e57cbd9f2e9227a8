/** `quorate put`, `get`, `del`, `range`, `watch` */
import { fromJsonValue, toJsonValue } from '@quorate/client';
import type { KvEntry, RangeOptions, Value, WatchEvent } from '@quorate/client';
import type { Run } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { readText, readValueFile } from '../files.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { clientOf } from '../gateway-client.ts';

export const runPut: Run = async (flags, { output, input }) => {
  const file = flags.text('file');
  const [key = '', given = ''] = positionals(flags, ['KEY', 'VALUE'], file === undefined ? 2 : 1);
  if (file !== undefined && flags.positionals.length > 1) {
    throw new UsageError('Wanted VALUE or --file, not both');
  }
  const text =
    file !== undefined
      ? await readValueFile(file)
      : given === '-'
        ? await readText(input, 'standard input')
        : given;
  const value = flags.boolean('json-value') ? await parseValue(text) : text;
  const ifRevision = flags.number('if-revision');
  const client = await clientOf(flags);
  const { revision } = await client.kv.put(key, value, {
    ...(flags.boolean('if-absent') ? { ifAbsent: true } : {}),
    ...(ifRevision === undefined ? {} : { ifRevision }),
  });
  output.result({ revision }, `Written at revision ${revision}`);
  return 0;
};

export const runGet: Run = async (flags, { output }) => {
  const [key = ''] = positionals(flags, ['KEY'], 1);
  const client = await clientOf(flags);
  const entry = await client.kv.getEntry(key, consistencyOf(flags));
  if (entry === undefined && !output.json) output.note(`There is no key ${key}`);
  output.result(
    { kv: entry === undefined ? null : entryJson(entry) },
    entry === undefined ? '' : valueText(entry.value, flags),
  );
  return entry === undefined ? exitCodes.no : exitCodes.done;
};

export const runDelete: Run = async (flags, { output }) => {
  const [key = ''] = positionals(flags, ['KEY'], 1);
  const ifRevision = flags.number('if-revision');
  if (flags.boolean('prefix') && ifRevision !== undefined) {
    throw new UsageError('--if-revision is for one key, not for --prefix');
  }
  const client = await clientOf(flags);
  const { deleted, revision } = await client.kv.delete(
    flags.boolean('prefix') ? { prefix: key } : key,
    ifRevision === undefined ? {} : { ifRevision },
  );
  const keys = deleted === 1 ? '1 key' : `${deleted} keys`;
  output.result({ deleted, revision }, `Deleted ${keys} at revision ${revision}`);
  return 0;
};

export const runRange: Run = async (flags, { output }) => {
  const [start, end] = positionals(flags, ['START', 'END'], 0);
  const limit = flags.number('limit', 1);
  const client = await clientOf(flags);
  const { entries, revision, more } = await client.kv.range({
    ...selection(flags.boolean('prefix'), start, end),
    ...(limit === undefined ? {} : { limit }),
    ...(flags.boolean('keys-only') ? { keysOnly: true } : {}),
    ...consistencyOf(flags),
  });
  const lines = entries.map((entry) =>
    entry.value === undefined ? entry.key : `${entry.key}\t${valueText(entry.value, flags)}`,
  );
  output.result(
    { kvs: entries.map(entryJson), revision, ...(more ? { more } : {}) },
    lines.join('\n'),
  );
  if (more && !output.json) output.note('There are more');
  return 0;
};

export const runWatch: Run = async (flags, { output }) => {
  const [key] = positionals(flags, ['KEY'], 0);
  const from = flags.number('from', 1);
  const initial = flags.boolean('initial');
  if (initial && from !== undefined) throw new UsageError('Wanted --initial or --from, not both');
  const client = await clientOf(flags);
  const batches = client.kv.watch({
    ...(key === undefined || flags.boolean('prefix') ? { prefix: key ?? '' } : { key }),
    ...(from === undefined ? {} : { from }),
    ...(initial ? { initial } : {}),
  });
  for await (const batch of batches) {
    for (const event of batch.events) {
      const revision = event.type === 'put' ? event.entry.modRevision : batch.revision;
      const value = event.type === 'put' ? toJsonValue(event.value) : null;
      output.result({ type: event.type, key: event.key, value, revision }, eventText(event, flags));
    }
  }
  return 0;
};

function eventText(event: WatchEvent, flags: Flags): string {
  return event.type === 'put'
    ? `put\t${event.key}\t${valueText(event.value, flags)}`
    : `delete\t${event.key}`;
}

function selection(prefix: boolean, start?: string, end?: string): RangeOptions {
  if (prefix) {
    if (end !== undefined) throw new UsageError('Wanted --prefix or END, not both');
    return { prefix: start ?? '' };
  }
  if (start === undefined) return { prefix: '' };
  // One key is the range from it up to its direct successor.
  return { start, end: end ?? `${start}\0` };
}

function consistencyOf(flags: Flags): { readonly consistency?: 'local' } {
  return flags.boolean('local') ? { consistency: 'local' } : {};
}

async function parseValue(text: string): Promise<Value> {
  const { parseJson } = await import('@quorate/gateway');
  try {
    return fromJsonValue(parseJson(text, 'VALUE'), 'VALUE') as Value;
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
    throw new UsageError(`Cannot read ${shown}: wanted JSON`);
  }
}

function entryJson(entry: KvEntry): unknown {
  const { key, value, createRevision, modRevision, version } = entry;
  const shown = value === undefined ? {} : { value: toJsonValue(value) };
  return { key, ...shown, createRevision, modRevision, version };
}

function valueText(value: unknown, flags: Flags): string {
  if (typeof value === 'string' && !flags.boolean('json-value')) return value;
  return JSON.stringify(toJsonValue(value));
}
