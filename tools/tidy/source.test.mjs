import { describe, expect, test } from 'vitest';
import { circlesAmong } from './circles.mjs';
import { checkSource, titlesOf } from './source.mjs';

const part = (short, manifest = {}) => ({
  short,
  directory: `packages/${short}`,
  tag: short,
  manifest: { name: `@quorate/${short}`, ...manifest },
});
const parts = [
  part('core'),
  part('contracts', { exports: { './memory': { source: './src/memory/index.ts' } } }),
  part('cluster'),
  part('kv'),
  part('crypto'),
];
const arrows = {
  core: [],
  contracts: ['core'],
  cluster: ['contracts', 'core'],
  kv: ['contracts', 'core'],
  crypto: ['contracts'],
};
const check = (file, text) => checkSource({ file, text, parts, arrows });

describe('imports', () => {
  test.each([
    ['packages/kv/src/a.ts', "import { b } from './b.js';", /ending in \.ts/],
    ['packages/kv/src/a.ts', "import { b } from '../../core/src/b.ts';", /leaves packages\/kv/],
    ['packages/cluster/src/a.ts', "import { b } from '@quorate/kv';", /against the arrows/],
    ['packages/kv/src/a.ts', "import { b } from '@quorate/cluster';", /against the arrows/],
    ['packages/crypto/src/a.ts', "import { b } from '@quorate/cluster';", /against the arrows/],
    ['packages/cluster/src/a.ts', "import { b } from '@quorate/gone';", /no part of the workspace/],
    ['packages/core/src/a.ts', "import { b } from 'cborg';", /no dependency at all/],
    ['packages/kv/src/a.ts', "import fs from 'node:fs';", /where browsers run/],
    ['packages/kv/src/a.ts', "type B = import('@quorate/crypto').B;", /against the arrows/],
    ['packages/kv/src/a.ts', "const b = await import('@quorate/crypto');", /against the arrows/],
  ])('%s refuses %s', (file, text, breach) => {
    expect(check(file, text)).toEqual([expect.stringMatching(breach)]);
  });

  test.each([
    ['packages/kv/src/a.ts', "import { b } from './deep/b.ts';"],
    ['packages/kv/src/a.ts', "import { b } from '@quorate/contracts/memory';"],
    ['packages/kv/src/a.test.ts', "import fs from 'node:fs';"],
    ['packages/crypto/src/node-aes.ts', "import c from 'node:crypto';"],
    ['packages/core/src/a.test.ts', "import { test } from 'vitest';"],
  ])('%s allows %s', (file, text) => {
    expect(check(file, text)).toEqual([]);
  });
});

describe('wings of the member', () => {
  test.each([
    ['packages/cluster/src/state/a.ts', "import { b } from '../links/b.ts';"],
    ['packages/cluster/src/links/a.ts', "import type { B } from '../replica/b.ts';"],
    ['packages/cluster/src/membership/a.ts', "import { b } from '../formation/b.ts';"],
    ['packages/cluster/src/replica/a.ts', "import { b } from '../member/b.ts';"],
  ])('%s refuses %s', (file, text) => {
    expect(check(file, text)).toEqual([expect.stringMatching(/against the arrows/)]);
  });

  test.each([
    ['packages/cluster/src/member/a.ts', "import { b } from '../formation/b.ts';"],
    ['packages/cluster/src/formation/a.ts', "import { b } from '../membership/b.ts';"],
    ['packages/cluster/src/state/a.test.ts', "import { b } from '../links/b.ts';"],
  ])('%s allows %s', (file, text) => {
    expect(check(file, text)).toEqual([]);
  });
});

describe('circles', () => {
  const files = (texts) => Object.entries(texts).map(([file, text]) => ({ file, text }));

  test('a circle is found, imports of types and dynamic ones included', () => {
    const texts = {
      'p/a.ts': "import type { B } from './b.ts';",
      'p/b.ts': "const c = () => import('./deep/c.ts');",
      'p/deep/c.ts': "export { a } from '../a.ts';",
      'p/d.ts': "import { a } from './a.ts';",
    };
    expect(circlesAmong(files(texts))).toEqual([['p/a.ts', 'p/b.ts', 'p/deep/c.ts']]);
  });

  test('two that share what they use are none', () => {
    const texts = {
      'p/a.ts': "import { b } from './b.ts';\nimport { c } from './c.ts';",
      'p/b.ts': "import { c } from './c.ts';",
      'p/c.ts': '',
    };
    expect(circlesAmong(files(texts))).toEqual([]);
  });
});

describe('exports', () => {
  test('export * is refused everywhere', () => {
    expect(check('packages/kv/src/index.ts', "export * from './a.ts';")).toHaveLength(1);
  });

  test('only the entries of a package gather names of other files', () => {
    const barrel = "export { a } from './a.ts';";
    expect(check('packages/kv/src/index.ts', barrel)).toEqual([]);
    expect(check('packages/contracts/src/memory/index.ts', barrel)).toEqual([]);
    expect(check('packages/cluster/src/other/index.ts', barrel)).toHaveLength(1);
  });
});

describe('surroundings', () => {
  test.each([
    ['packages/core/src/a.ts', 'export async function a() {}'],
    ['packages/core/src/a.ts', 'const t = Date.now();'],
    ['packages/core/src/a.ts', 'const t = Math.random();'],
    ['packages/cluster/src/a.ts', 'setTimeout(f, 1);'],
    ['packages/cluster/src/a.ts', 'globalThis.setTimeout(f, 1);'],
    ['packages/cluster/src/a.ts', 'const t = performance.now();'],
    ['packages/kv/src/a.ts', 'crypto.getRandomValues(b);'],
    ['packages/kv/src/a.ts', 'process.exit();'],
    ['packages/crypto/src/a.ts', 'const b = Buffer.from(a);'],
  ])('%s refuses %s', (file, text) => {
    expect(check(file, text)).toHaveLength(1);
  });

  test.each([
    ['packages/cluster/src/a.ts', 'export async function a() {}'],
    ['packages/cluster/src/a.test.ts', 'setTimeout(f, 1);'],
    ['packages/contracts/src/conformance/a.ts', 'setTimeout(f, 1);'],
    ['packages/kv/src/a.ts', 'function f(performance) { return performance.now(); }'],
    ['packages/kv/src/a.ts', 'const a = { process: 1 }; a.process;'],
    ['packages/crypto/src/a.ts', 'crypto.getRandomValues(b);'],
  ])('%s allows %s', (file, text) => {
    expect(check(file, text)).toEqual([]);
  });
});

describe('order of disk and network', () => {
  test('only turn.ts persists and posts, only host.ts sends what was posted', () => {
    const text = "storage.persist(b); host.post(m); link.send('raft', f); link.send('bulk', f);";
    expect(check('packages/cluster/src/node.ts', text)).toHaveLength(3);
    expect(check('packages/cluster/src/replica/turn.ts', text)).toEqual([
      expect.stringContaining('only in host.ts'),
    ]);
    expect(check('packages/cluster/src/links/host.ts', text)).toHaveLength(2);
  });
});

describe('tests', () => {
  const file = 'packages/kv/src/a.test.ts';

  test('.only is refused, .skip asks for its reason', () => {
    expect(check(file, "test.only('a', f);")).toHaveLength(1);
    expect(check(file, "test.skip('a', f);")).toHaveLength(1);
    expect(check(file, "// Skipped: needs root\ntest.skip('a', f);")).toEqual([]);
    expect(check(file, "describe.skipIf(x)('a', f);")).toHaveLength(1);
  });

  test('titles are found with their lines, parametrised ones too', () => {
    const text = "describe('Z1 a', () => {\n  test.each([1])('L2 b', f);\n});";
    expect(titlesOf(file, text)).toEqual([
      { line: 1, title: 'Z1 a' },
      { line: 2, title: 'L2 b' },
    ]);
  });
});
