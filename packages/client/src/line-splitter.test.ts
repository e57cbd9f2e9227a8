import { describe, expect, test } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

describe('LineSplitter', () => {
  test('gives each line once, wherever the pieces are cut', () => {
    const text = 'one\n\ntwo three\nfour\n';
    for (let size = 1; size <= text.length; size++) {
      const splitter = new LineSplitter();
      const lines: string[] = [];
      for (let at = 0; at < text.length; at += size) {
        lines.push(...splitter.push(text.slice(at, at + size)));
      }
      expect(lines).toEqual(['one', '', 'two three', 'four']);
    }
  });

  test('T15 a line of 64 MB in pieces of 16 kB is one line', () => {
    const splitter = new LineSplitter();
    const piece = 'x'.repeat(16_384);
    for (let at = 0; at < 4_096; at++) expect(splitter.push(piece)).toHaveLength(0);
    const [line = '', ...others] = splitter.push('\n');
    expect([line.length, others]).toEqual([4_096 * 16_384, []]);
  });
});
