import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SseParser } from './sse.ts';

const text = [
  ': a comment\n\n',
  'event: open\nid: 3\ndata: {"revision":3}\n\n',
  'data: one\r\ndata: two\r\n\r\n',
  'id: 4\rdata:three\r\r',
  'event: nothing\n\n',
  'nonsense\nretry: 5\ndata\n\n',
  'data: unfinished\n',
].join('');
const expected = [
  { type: 'open', id: '3', data: '{"revision":3}' },
  { type: 'message', id: '3', data: 'one\ntwo' },
  { type: 'message', id: '4', data: 'three' },
  { type: 'message', id: '4', data: '' },
];

describe('SseParser', () => {
  test('reads events as the HTML standard says (§9.2.6)', () => {
    expect(new SseParser().push(text)).toEqual(expected);
  });

  test('does not care how the text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length }), { maxLength: 30 }), (cuts) => {
        const ends = [...new Set(cuts), text.length].sort((a, b) => a - b);
        const parser = new SseParser();
        const events = ends.flatMap((end, at) => parser.push(text.slice(ends[at - 1] ?? 0, end)));
        expect(events).toEqual(expected);
      }),
    );
  });
});
