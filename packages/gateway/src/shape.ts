/** Takes requests apart: each member by name and type, nothing unknown, one message for each fault. */
import { fromJsonValue } from '@quorate/client';
import { badRequest } from './problem.ts';

/** The members of one JSON object. Each is taken once; `finish()` refuses what nobody took. */
export class Shape {
  readonly #path: string;
  readonly #members: Map<string, unknown>;

  /** Throws `BAD_REQUEST` unless `json` is an object. */
  constructor(json: unknown, path: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw badRequest(`Cannot read ${path}: wanted an object`);
    }
    this.#path = path;
    this.#members = new Map(Object.entries(json));
  }

  string(name: string): string {
    return this.#required(name, this.optionalString(name));
  }

  optionalString(name: string): string | undefined {
    return this.#take(name, 'text', (value) => typeof value === 'string');
  }

  optionalNumber(name: string): number | undefined {
    return this.#take(name, 'a number', (value) => typeof value === 'number');
  }

  optionalBoolean(name: string): boolean | undefined {
    return this.#take(name, 'true or false', (value) => typeof value === 'boolean');
  }

  /** Text that is one of `words`. */
  optionalWord<W extends string>(name: string, words: readonly W[]): W | undefined {
    return this.#take(name, words.join(' or '), (value) => words.includes(value as W));
  }

  array(name: string): readonly unknown[] {
    return this.#required(name, this.optionalArray(name));
  }

  optionalArray(name: string): readonly unknown[] | undefined {
    return this.#take(name, 'an array', Array.isArray);
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Any JSON, absent as undefined. */
  raw(name: string): unknown {
    const value = this.#members.get(name);
    this.#members.delete(name);
    return value;
  }

  /** A replicated value in its JSON form. */
  value(name: string): NonNullable<unknown> | null {
    return fromJsonValue(this.raw(name), `${this.#path}.${name}`) as NonNullable<unknown> | null;
  }

  /** Throws `BAD_REQUEST` where something is left: a misspelt option must not go unheard. */
  finish(): void {
    const [unknown] = this.#members.keys();
    if (unknown !== undefined) {
      throw badRequest(`Cannot read ${this.#path}: ${JSON.stringify(unknown)} is not known here`);
    }
  }

  #take<T>(name: string, wanted: string, test: (value: unknown) => boolean): T | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (!test(value)) throw badRequest(`Cannot read ${this.#path}.${name}: wanted ${wanted}`);
    return value as T;
  }

  #required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw badRequest(`Cannot read ${this.#path}: ${name} is missing`);
    return value;
  }
}
