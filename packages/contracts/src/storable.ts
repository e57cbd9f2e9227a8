/** What a key can hold, to the compiler: at a member as through a client. */

/**
 * What a key can hold: JSON-like data (null, booleans, finite numbers, well-formed strings, arrays,
 * plain objects) or a `Uint8Array` as a whole. Anything else is a `TypeError` that names the path.
 * Typed widely, for an interface of TypeScript does not fit an index signature; see `Storable`.
 */
export type Value = NonNullable<unknown> | null;

/**
 * `V` as far as the compiler can tell that it may be stored: functions (and with them instances of
 * classes that have methods, such as `Date`), symbols, bigints and members that are `undefined` do not fit.
 */
export type Storable<V> = unknown extends V
  ? V
  : V extends string | number | boolean | null | Uint8Array
    ? V
    : V extends Date
      ? 'a Date cannot be stored: store its time or toISOString()'
      : V extends ((...args: never) => unknown) | symbol | bigint | undefined
        ? 'functions, symbols, bigints and undefined cannot be stored'
        : { [K in keyof V]: Storable<V[K]> };
