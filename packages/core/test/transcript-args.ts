/** The words behind a command: taken one by one, and every one of them has to be taken. */
import type { EntryId } from '../src/index.ts';

/** The script cannot be meant like this. */
export class ScriptError extends Error {
  override readonly name: string = 'ScriptError';
}

export class Args {
  readonly #words: string[] = [];
  readonly #options: Map<string, string> = new Map();

  /** `name=value` is an option, anything else a word. */
  constructor(all: readonly string[]) {
    for (const each of all) {
      const at = each.indexOf('=');
      if (at <= 0) {
        this.#words.push(each);
        continue;
      }
      const name = each.slice(0, at);
      if (this.#options.has(name)) throw new ScriptError(`${name} is given twice`);
      this.#options.set(name, each.slice(at + 1));
    }
  }

  /** Throws for whatever nobody asked for. */
  end(): void {
    const left = [...this.#words, ...[...this.#options.keys()].map((name) => `${name}=`)];
    if (left.length > 0) throw new ScriptError(`Cannot place ${left.join(' ')}`);
  }

  get more(): boolean {
    return this.#words.length > 0;
  }

  word(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new ScriptError(`No ${what}`);
    return word;
  }

  words(): string[] {
    return this.#words.splice(0);
  }

  /** The next word if it is one of `wanted`. */
  oneOf<T extends string>(...wanted: readonly T[]): T | null {
    const found = wanted.find((each) => each === this.#words[0]);
    if (found === undefined) return null;
    this.#words.shift();
    return found;
  }

  /** The next word if it has this form. */
  match(form: RegExp): RegExpExecArray | null {
    const match = form.exec(this.#words[0] ?? '');
    if (match !== null) this.#words.shift();
    return match;
  }

  node(what = 'node'): number {
    return toNode(this.word(what));
  }

  /** The rest of the words, all of them nodes. */
  nodes(): number[] {
    return this.words().map(toNode);
  }

  count(what: string, otherwise?: number): number {
    if (otherwise !== undefined && !this.more) return otherwise;
    return toNumber(this.word(what), what);
  }

  has(name: string): boolean {
    return this.#options.has(name);
  }

  option(name: string): string | null {
    const value = this.#options.get(name) ?? null;
    this.#options.delete(name);
    return value;
  }

  number(name: string, otherwise?: number): number {
    const value = this.option(name);
    if (value !== null) return toNumber(value, name);
    if (otherwise === undefined) throw new ScriptError(`No ${name}=`);
    return otherwise;
  }

  /** `name=1,2,3`; an empty list is `name=`. */
  numbers(name: string): number[] {
    const value = this.option(name);
    if (value === null || value === '') return [];
    return value.split(',').map((each) => toNumber(each, name));
  }

  /** `name=term/index`. */
  entryId(name: string): EntryId {
    const value = this.option(name);
    const [term, index, ...rest] = value?.split('/') ?? [];
    if (term === undefined || index === undefined || rest.length > 0) {
      throw new ScriptError(`${name}=${value ?? ''}: wanted ${name}=term/index`);
    }
    return { term: toNumber(term, name), index: toNumber(index, name) };
  }

  yes(name: string): boolean {
    const value = this.option(name);
    if (value !== null && value !== 'yes' && value !== 'no') {
      throw new ScriptError(`${name}=${value}: wanted yes or no`);
    }
    return value === 'yes';
  }
}

function toNode(word: string): number {
  if (!/^[1-9]$/.test(word)) throw new ScriptError(`${word} is no node, wanted 1 to 9`);
  return Number(word);
}

function toNumber(word: string, what: string): number {
  if (!/^\d{1,15}$/.test(word)) {
    throw new ScriptError(`${what} is ${word || 'empty'}, wanted a whole number`);
  }
  return Number(word);
}
