/**
 * Flags of a command: declared once as data, from which parsing, `QUORATE_*` variables and help
 * follow.
 */
import { parseArgs } from 'node:util';
import { nearest } from '@quorate/contracts/options';

/**
 * `boolean`: given or not. `text`, `number`: the last one given counts. `list`: each one given
 * counts; in its variable they are separated by commas or blanks.
 */
export type Flag = {
  readonly name: string;
  readonly type: 'boolean' | 'text' | 'number' | 'list';
  /** What stands for the value in help, such as `ADDR`. Unused for `boolean`. */
  readonly value?: string;
  readonly help: string;
};

/** A mistake of the person at the keyboard. Shown without a stack, with a pointer to `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a command line said, with the variables filled in. Reading an undeclared flag throws. */
export class Flags {
  readonly positionals: readonly string[];
  readonly #declared: ReadonlyMap<string, Flag>;
  readonly #given: ReadonlyMap<string, readonly string[]>;

  constructor(
    declared: ReadonlyMap<string, Flag>,
    given: ReadonlyMap<string, readonly string[]>,
    positionals: readonly string[],
  ) {
    this.#declared = declared;
    this.#given = given;
    this.positionals = positionals;
  }

  boolean(name: string): boolean {
    const text = this.#last(name, 'boolean');
    return text !== undefined && booleanOf(name, text);
  }

  text(name: string): string | undefined {
    return this.#last(name, 'text');
  }

  list(name: string): readonly string[] {
    this.#check(name, 'list');
    return this.#given.get(name) ?? [];
  }

  /** A whole number of at least `min`, 0 unless told. Throws `UsageError` for anything else. */
  number(name: string, min = 0): number | undefined {
    const text = this.#last(name, 'number');
    if (text === undefined) return undefined;
    const number = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(number) || number < min) {
      throw new UsageError(`Cannot use --${name} ${text}: wanted a whole number from ${min} up`);
    }
    return number;
  }

  #last(name: string, type: Flag['type']): string | undefined {
    this.#check(name, type);
    return this.#given.get(name)?.at(-1);
  }

  #check(name: string, type: Flag['type']): void {
    if (this.#declared.get(name)?.type !== type) {
      throw new Error(`Invariant broken: --${name} is declared as ${type}`);
    }
  }
}

/**
 * Reads `args` and, for flags not given there, `QUORATE_<NAME>` from `environment`; an empty
 * variable counts as not set. Throws `UsageError` for an unknown flag (naming the nearest known
 * one), a missing value, or a value where none belongs.
 */
export function parseFlags(
  flags: readonly Flag[],
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Flags {
  const declared = new Map(flags.map((flag) => [flag.name, flag]));
  const options = Object.fromEntries(
    flags.map((flag) => [
      flag.name,
      { type: flag.type === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  // Not strict: parseArgs then reports what it saw, and the words of a refusal are ours.
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });

  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const flag = declared.get(token.name);
    if (flag === undefined) throw unknownFlag(token.rawName, flags);
    if (flag.type === 'boolean') {
      append(given, flag.name, token.value ?? 'true');
      continue;
    }
    if (token.value === undefined || swallowedFlag(token, declared)) {
      throw new UsageError(`Cannot use --${flag.name}: no value given, wanted ${valueName(flag)}`);
    }
    append(given, flag.name, token.value);
  }
  for (const flag of flags) {
    const text = environment[variableOf(flag)];
    if (text === undefined || text === '' || given.has(flag.name)) continue;
    const items =
      flag.type === 'list' ? text.split(/[\s,]+/).filter((item) => item !== '') : [text];
    given.set(flag.name, items);
  }
  return new Flags(declared, given, positionals);
}

/**
 * The positional arguments, for the parameters of `names` of which the first `countMin` are needed.
 * Throws `UsageError` for too few or too many.
 */
export function positionals(
  flags: Flags,
  names: readonly string[],
  countMin: number,
): readonly string[] {
  const given = flags.positionals;
  if (given.length < countMin) throw new UsageError(`${names[given.length]} is missing`);
  if (given.length > names.length) {
    throw new UsageError(`Unexpected argument ${given[names.length]}`);
  }
  return given;
}

/** The environment variable that stands for a flag: `QUORATE_SECRET_FILE` for `--secret-file`. */
export function variableOf(flag: Flag): string {
  return `QUORATE_${flag.name.toUpperCase().replaceAll('-', '_')}`;
}

/** What help prints for a flag's value. */
export function valueName(flag: Flag): string {
  return flag.value ?? (flag.type === 'number' ? 'N' : 'TEXT');
}

/** `--relay --json` takes `--json` for the relay's address: a value that is a known flag is none. */
function swallowedFlag(
  token: { readonly value?: string | undefined; readonly inlineValue?: boolean | undefined },
  declared: ReadonlyMap<string, Flag>,
): boolean {
  if (token.inlineValue === true || token.value === undefined) return false;
  const name = /^--([a-z-]+)(?:=|$)/.exec(token.value)?.[1];
  return name !== undefined && (declared.has(name) || name === 'help');
}

function unknownFlag(rawName: string, flags: readonly Flag[]): UsageError {
  const near = nearest(
    rawName.replace(/^-+/, ''),
    flags.map((flag) => flag.name),
  );
  if (near !== undefined) return new UsageError(`Unknown flag ${rawName}, did you mean --${near}?`);
  const hint = rawName.startsWith('--') ? '' : ' (arguments that begin with - come after --)';
  return new UsageError(`Unknown flag ${rawName}${hint}`);
}

function booleanOf(name: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new UsageError(`Cannot use --${name} with the value ${text}: wanted true or false`);
}

function append(map: Map<string, string[]>, name: string, value: string): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [value]);
  else list.push(value);
}
