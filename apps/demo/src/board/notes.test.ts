import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columns, inColumn, lastOrder, placed, stepped } from './notes.ts';
import type { Column, Direction, Note } from './notes.ts';

function note(id: string, column: Column, order: number): Note {
  return { id, column, order, text: id, author: 'Coral' };
}

const board = [
  note('a', 'todo', 1),
  note('b', 'todo', 2),
  note('c', 'todo', 3),
  note('d', 'doing', 1),
];

function apply(notes: readonly Note[], changed: readonly Note[]): readonly Note[] {
  return notes.map((one) => changed.find(({ id }) => id === one.id) ?? one);
}

function idsOf(notes: readonly Note[], column: Column): string {
  return inColumn(notes, column)
    .map(({ id }) => id)
    .join('');
}

test('placed() changes one note where there is room between its neighbours', () => {
  const changed = placed(board, 'd', 'todo', 1);
  expect(changed).toHaveLength(1);
  expect(idsOf(apply(board, changed), 'todo')).toBe('adbc');
});

test('placed() numbers a column anew where there is no room left', () => {
  const tight = [note('a', 'todo', 1), note('b', 'todo', 1 + Number.EPSILON), note('c', 'done', 0)];
  const changed = placed(tight, 'c', 'todo', 1);
  expect(changed).toHaveLength(3);
  expect(idsOf(apply(tight, changed), 'todo')).toBe('acb');
});

test('placed() and stepped() leave a board alone that lost the note meanwhile', () => {
  expect(placed(board, 'x', 'done', 0)).toEqual([]);
  expect(stepped(board, 'x', 'left')).toEqual([]);
});

test.each<[Direction, string, string]>([
  ['up', 'bac', 'd'],
  ['down', 'acb', 'd'],
  ['left', 'abc', 'd'],
  ['right', 'ac', 'db'],
])('stepped() moves a note %s', (direction, todo, doing) => {
  const after = apply(board, stepped(board, 'b', direction));
  expect([idsOf(after, 'todo'), idsOf(after, 'doing')]).toEqual([todo, doing]);
});

test('stepped() stops at the edges', () => {
  expect(stepped(board, 'a', 'up')).toEqual([]);
  expect(stepped(board, 'c', 'down')).toEqual([]);
  expect(stepped([note('z', 'done', 0)], 'z', 'right')).toEqual([]);
});

test('lastOrder() is behind every note of the column', () => {
  expect(lastOrder(board, 'todo')).toBeGreaterThan(3);
  expect(lastOrder([], 'done')).toBe(1);
});

test('placed() puts a note where it was asked to, whatever was moved before', () => {
  const move = fc.tuple(fc.nat(5), fc.constantFrom(...columns), fc.nat(6));
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      let notes: readonly Note[] = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => note(id, 'todo', 0));
      for (const [which, column, index] of moves) {
        const { id } = notes[which]!;
        const others = idsOf(notes, column).replace(id, '');
        notes = apply(notes, placed(notes, id, column, index));
        const at = Math.min(index, others.length);
        expect(idsOf(notes, column)).toBe(others.slice(0, at) + id + others.slice(at));
      }
    }),
  );
});
