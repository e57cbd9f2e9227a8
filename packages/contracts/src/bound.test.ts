import { describe, expect, it } from 'vitest';
import { bindMethods } from './bound.ts';

class Base {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    bindMethods(this);
  }

  name(): string {
    return this.#name;
  }

  greeting(): string {
    return 'good day';
  }

  get loud(): string {
    return this.#name.toUpperCase();
  }
}

class Derived extends Base {
  override greeting(): string {
    return `hello, ${this.name()}`;
  }
}

describe('bindMethods', () => {
  it('T31 binds methods, of what a class extends too, and leaves getters as they are', () => {
    const derived = new Derived('ada');
    const { name, greeting } = derived;
    expect([name(), greeting(), derived.loud]).toEqual(['ada', 'hello, ada', 'ADA']);
  });

  it('T31 binds to each object of its own, and gives the same function each time', () => {
    const [one, other] = [new Base('one'), new Base('other')];
    expect([one, other].map(({ name }) => name())).toEqual(['one', 'other']);
    expect(one.name).toBe(one.name);
  });

  it('shows nothing to whoever looks at the properties', () => {
    expect(Object.keys(new Base('one'))).toEqual([]);
  });
});
