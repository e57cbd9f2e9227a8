import { expect, test } from 'vitest';
import { parseJson } from './strict-json.ts';

test.each([
  '{}',
  '[1, -0, 0.1, 1e21, -1.5E-3]',
  '9007199254740992',
  '{"a":{"b":[{"a":1},{"a":2}]},"b":"9007199254740993","c":""}',
  '{"a":"{\\"a\\":1,\\"a\\":2}","\\\\":1,"\\"":2}',
  '{"a" : [ ] , "b":{ } }',
  // As JavaScript writes a large double.
  JSON.stringify([2 ** 69, 1e20, Number.MAX_SAFE_INTEGER]),
])('parseJson() takes %s as JSON does', (text) => {
  expect(parseJson(text, 'body')).toEqual(JSON.parse(text));
});

test.each([
  ['9007199254740993', 'body'],
  ['{"value":{"n":[1,-9007199254740993]}}', 'body.value.n[1]'],
  ['[[],{},18446744073709551615]', 'body[2]'],
  ['{"a b":1e400}', 'body["a b"]'],
])('T29 parseJson() refuses the number in %s at %s', (text, place) => {
  expect(() => parseJson(text, 'body')).toThrow(TypeError);
  expect(() => parseJson(text, 'body')).toThrow(`Cannot read ${place}: `);
});

test.each([
  ['{"a":1,"a":2}', 'body.a'],
  ['{"calls":[{},{"request":{"key":"a","\\u006bey":"b"}}]}', 'body.calls[1].request.key'],
  ['{"a":{"b":1},"c":[{"b":1}],"a":3}', 'body.a'],
  ['{"__proto__":1,"__proto__":2}', 'body.__proto__'],
])('T29 parseJson() refuses the member that %s has twice, %s', (text, place) => {
  expect(() => parseJson(text, 'body')).toThrow(`Cannot read ${place}: it is there twice`);
});

test('parseJson() throws SyntaxError for what is no JSON', () => {
  for (const text of ['', '{', '[1,]', '01', "{'a':1}"]) {
    expect(() => parseJson(text, 'body')).toThrow(SyntaxError);
  }
});
