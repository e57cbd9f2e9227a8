/**
 * The one gate for what callers say: options, requests, wishes. What counts as given is an own key
 * whose value is not `undefined`; what is not known is refused, with the nearest name that is.
 */

/** What one option takes. */
export type Kind = {
  /** The form of what is wanted, as the end of a sentence. */
  readonly wanted: string;
  fits(value: unknown): boolean;
  /** Of a list: what each of its items takes. */
  readonly each?: Kind;
  /** It must be given. */
  readonly needed?: boolean;
  /** Never shown: a secret. */
  readonly hidden?: boolean;
  /** Numbers that do not fit are a `RangeError`. */
  readonly numeric?: boolean;
};

export type Kinds = Readonly<Record<string, Kind>>;

/**
 * What is given of `kinds` in `options`, as a plain copy; nothing for undefined. Throws `TypeError`,
 * or `RangeError` for a number of the wrong size: `Cannot <action>: <path><option> …`.
 */
export function takeOptions<T extends object>(
  options: T | undefined,
  kinds: Kinds,
  action: string,
  path: string = '',
): Partial<T> {
  if (options !== undefined && Object.prototype.toString.call(options) !== '[object Object]') {
    const what = path === '' ? 'the options argument' : path.slice(0, -1);
    throw new TypeError(`Cannot ${action}: ${what} is ${show(options)}, wanted an object`);
  }
  const given: Record<string, unknown> = {};
  for (const key of Reflect.ownKeys(options ?? {})) {
    const name = String(key);
    const value = (options as Record<PropertyKey, unknown>)[key];
    if (value === undefined) continue;
    if (!Object.hasOwn(kinds, key)) {
      const names = Object.keys(kinds);
      const near = nearest(name, names);
      const hint =
        near === undefined
          ? `wanted ${names.length === 0 ? 'none' : wordsOf(names)}`
          : `did you mean ${path}${near}?`;
      throw new TypeError(
        `Cannot ${action}: there is no option ${path}${name.slice(0, shownMax)}, ${hint}`,
      );
    }
    checkValue(value, kinds[name] as Kind, action, path + name);
    given[name] = value;
  }
  for (const name of Object.keys(kinds)) {
    if (kinds[name]?.needed !== true || name in given) continue;
    throw new TypeError(
      `Cannot ${action}: ${path}${name} is missing, wanted ${kinds[name].wanted}`,
    );
  }
  return given as Partial<T>;
}

/** Throws as `takeOptions` does. */
export function checkValue(value: unknown, kind: Kind, action: string, name: string): void {
  if (!kind.fits(value)) {
    const found = kind.hidden === true ? typeof value : show(value);
    const error = kind.numeric === true && typeof value === 'number' ? RangeError : TypeError;
    throw new error(`Cannot ${action}: ${name} is ${found}, wanted ${kind.wanted}`);
  }
  if (kind.each === undefined || !Array.isArray(value)) return;
  for (const [at, item] of value.entries()) checkValue(item, kind.each, action, `${name}[${at}]`);
}

export function needed(kind: Kind): Kind {
  return { ...kind, needed: true };
}

export const flag: Kind = {
  wanted: 'true or false',
  fits: (value) => typeof value === 'boolean',
};

export const text: Kind = {
  wanted: 'text',
  fits: (value) => typeof value === 'string',
};

export const callback: Kind = {
  wanted: 'a function',
  fits: (value) => typeof value === 'function',
};

export const abortSignal: Kind = {
  wanted: 'an AbortSignal',
  fits: (value) =>
    typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function' &&
    typeof (value as AbortSignal).aborted === 'boolean',
};

/** As many as the timers of all runtimes hold. */
export const milliseconds: Kind = {
  numeric: true,
  wanted: 'a number of milliseconds above 0 and below 2^31',
  fits: (value) => typeof value === 'number' && value > 0 && value < 2 ** 31,
};

export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Kind {
  return {
    numeric: true,
    wanted: `an integer from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`,
    fits: (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  };
}

/** One of `values`. */
export function word(...values: readonly (string | number)[]): Kind {
  return {
    numeric: typeof values[0] === 'number',
    wanted: wordsOf(values),
    fits: (value) => values.includes(value as string),
  };
}

export function list(each: Kind): Kind {
  return { wanted: `a list of ${each.wanted}`, fits: Array.isArray, each };
}

/** An object, which is looked at elsewhere. */
export const object: Kind = {
  wanted: 'an object',
  fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** What each call of a cluster takes. */
export const callKinds: Kinds = { signal: abortSignal, timeoutMs: milliseconds };

/** For messages: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > shownMax ? `${value.slice(0, shownMax)}…` : value);
  }
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
  return typeof value === 'function' ? 'a function' : String(value);
}

/**
 * The word of `words` that `given` was probably meant to be, if any is close: at most a third of its
 * letters wrong, or one the beginning of the other.
 */
export function nearest(given: string, words: readonly string[]): string | undefined {
  if (given.length > shownMax) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(given.length / 3)) + 1;
  for (const candidate of words) {
    const distance = editDistance(given, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== undefined || given.length < 2) return best;
  return words.find((candidate) => candidate.startsWith(given) || given.startsWith(candidate));
}

/** The least number of letters to insert, remove, replace, or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const swapped =
        a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? (beforePrevious[column - 2] ?? Infinity) + 1
          : Infinity;
      current.push(
        Math.min(replaced, swapped, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1),
      );
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? a.length;
}

function wordsOf(words: readonly (string | number)[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1');
}

const shownMax = 100;
