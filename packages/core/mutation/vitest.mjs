// As much of vitest as core's tests use, collected instead of run.
import { readFile } from 'node:fs/promises';
import { format } from 'node:util';
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend, chai } from '@vitest/expect';

/** Every test: `id`, `name`, `fileName`, `run()`. */
export const tests = [];
const names = [];
const seen = new Set();

export function describe(name, body) {
  names.push(name);
  body();
  names.pop();
}

export function test(name, body) {
  const full = [...names, name].join(' ');
  const fileName = globalThis.testFile;
  let id = `${fileName}#${full}`;
  while (seen.has(id)) id += "'";
  seen.add(id);
  tests.push({ id, name: full, fileName, run: async () => body() });
}

test.each = (cases) => (name, body) => {
  for (const each of cases) {
    const values = Array.isArray(each) ? each : [each];
    test(format(name, ...values), () => body(...values));
  }
};

describe.each = (cases) => (name, body) => {
  for (const values of cases) describe(format(name, ...values), () => body(...values));
};

test.runIf = (condition) => (condition ? test : () => undefined);

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
chai.use(({ Assertion }) => {
  Assertion.addMethod('toMatchFileSnapshot', async function (path) {
    const wanted = await readFile(`test/${path}`, 'utf8');
    if (this._obj !== wanted) throw new Error(`differs from ${path}`);
  });
});
export const expect = chai.expect;
