/** Changes to a world's weather, as text on a command line: what a shrunk seed is replayed with. */

/** Fields of a weather and what they are instead; one level of objects inside. */
export type Overrides = { readonly [name: string]: number | boolean | string | Overrides };

/**
 * `weather` with `overrides` in their places. Throws `RangeError` for a name that it does not have,
 * or a value of another type.
 */
export function override<T extends object>(weather: T, overrides: Overrides | undefined): T {
  if (overrides === undefined) return weather;
  const result: Record<string, unknown> = { ...(weather as Record<string, unknown>) };
  for (const [name, value] of Object.entries(overrides)) {
    const before = result[name];
    if (typeof before !== typeof value) {
      throw new RangeError(
        `Cannot set ${name} of the weather to ${JSON.stringify(value)}: wanted ${typeof before}`,
      );
    }
    result[name] =
      typeof value === 'object' && typeof before === 'object' && before !== null
        ? override(before, value)
        : value;
  }
  return result as T;
}

/** `a`, and `b` where both say something. */
export function joinOverrides(a: Overrides, b: Overrides): Overrides {
  const result: { [name: string]: Overrides[string] } = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = result[name];
    const both = typeof value === 'object' && typeof before === 'object';
    result[name] = both ? joinOverrides(before, value) : value;
  }
  return result;
}
