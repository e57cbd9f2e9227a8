/** What a board is, without anything to look at: notes in columns, in an order that people chose. */

export const columns = ['todo', 'doing', 'done'] as const;
export type Column = (typeof columns)[number];

/** The value of a note's key. */
export type NoteValue = {
  readonly text: string;
  readonly column: Column;
  /** Sorts the notes of a column; any number. */
  readonly order: number;
  /** The tab that wrote it. */
  readonly author: string;
};

export type Note = NoteValue & { readonly id: string };

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The notes of one column, first to last. */
export function inColumn(notes: readonly Note[], column: Column): readonly Note[] {
  return notes
    .filter((note) => note.column === column)
    .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/**
 * Moves note `id` to position `index` (0: first) among the other notes of `column`. Returns the notes
 * that change by it: the one, and where there is no number left between its neighbours, those too.
 */
export function placed(
  notes: readonly Note[],
  id: string,
  column: Column,
  index: number,
): readonly Note[] {
  const note = notes.find((one) => one.id === id);
  if (note === undefined) return [];
  const others = inColumn(notes, column).filter((one) => one.id !== id);
  const at = Math.min(Math.max(index, 0), others.length);
  const order = between(others[at - 1]?.order, others[at]?.order);
  if (order !== null) return [{ ...note, column, order }];
  return [...others.slice(0, at), { ...note, column, order: 0 }, ...others.slice(at)].map(
    (one, position) => ({ ...one, order: position }),
  );
}

/** Moves a note one step; returns what changes, nothing at an edge. */
export function stepped(notes: readonly Note[], id: string, direction: Direction): readonly Note[] {
  const note = notes.find((one) => one.id === id);
  if (note === undefined) return [];
  const index = inColumn(notes, note.column).findIndex((one) => one.id === id);
  if (direction === 'up') return index === 0 ? [] : placed(notes, id, note.column, index - 1);
  if (direction === 'down') {
    const last = inColumn(notes, note.column).length - 1;
    return index === last ? [] : placed(notes, id, note.column, index + 1);
  }
  const column = columns[columns.indexOf(note.column) + (direction === 'left' ? -1 : 1)];
  return column === undefined ? [] : placed(notes, id, column, index);
}

/** Behind the last note of a column. */
export function lastOrder(notes: readonly Note[], column: Column): number {
  return (inColumn(notes, column).at(-1)?.order ?? 0) + 1;
}

/** A number between two, null where there is none left. Undefined: no neighbour on that side. */
function between(before: number | undefined, after: number | undefined): number | null {
  if (before === undefined) return (after ?? 1) - 1;
  if (after === undefined) return before + 1;
  const middle = (before + after) / 2;
  return middle > before && middle < after ? middle : null;
}
