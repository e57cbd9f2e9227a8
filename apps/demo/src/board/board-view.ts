/** The board to look at and to work with: by mouse, by finger, by keyboard. */
import { isQuorateError } from 'quorate';
import { h, isCalm, KeyedList, setText } from '../dom.ts';
import type { Board } from './board.ts';
import { makeDraggable } from './drag.ts';
import { columns, inColumn } from './notes.ts';
import type { Column, Direction, Note } from './notes.ts';
import { createNote, updateNote } from './note-view.ts';
import type { NoteActions } from './note-view.ts';

export class BoardView {
  readonly element: HTMLElement;
  readonly #board: Board;
  readonly #lists = new Map<Column, HTMLUListElement>();
  readonly #counts = new Map<Column, HTMLElement>();
  readonly #keyed = new Map<Column, KeyedList<Note, HTMLLIElement>>();
  readonly #elements = new Map<string, HTMLLIElement>();
  readonly #fields: (HTMLInputElement | HTMLButtonElement)[] = [];
  readonly #said = h('p', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
  readonly #trouble = h('p', { class: 'trouble', role: 'alert' });
  readonly #unsubscribe: () => void;
  #notes: readonly Note[] = [];
  #canWrite = false;

  constructor(board: Board) {
    this.#board = board;
    this.element = h(
      'section',
      { class: 'card board', 'aria-labelledby': 'board-title' },
      h(
        'header',
        {},
        h('h2', { id: 'board-title' }, 'One board'),
        h(
          'p',
          { class: 'muted hint' },
          'Drag a note, or focus it and press the arrow keys; Enter edits, Delete removes.',
        ),
      ),
      h('div', { class: 'columns' }, ...columns.map((column) => this.#createColumn(column))),
      this.#trouble,
      this.#said,
    );
    this.#unsubscribe = board.subscribe((notes) => this.#show(notes));
  }

  show(canWrite: boolean): void {
    this.#canWrite = canWrite;
    this.element.toggleAttribute('data-read-only', !canWrite);
    for (const field of this.#fields) field.disabled = !canWrite;
    for (const element of this.#elements.values()) this.#enable(element);
  }

  close(): void {
    this.#unsubscribe();
  }

  #createColumn(column: Column): HTMLElement {
    const title = titles[column];
    const list = h('ul', { 'aria-label': title, 'data-column': column });
    const count = h('span', { class: 'muted' });
    const input = h('input', {
      type: 'text',
      maxlength: 200,
      placeholder: 'Add a note',
      'aria-label': `Add a note to ${title}`,
      autocomplete: 'off',
      name: `note-${column}`,
    });
    const button = h('button', { type: 'submit', 'aria-label': `Add to ${title}` }, '+');
    this.#fields.push(input, button);
    this.#lists.set(column, list);
    this.#counts.set(column, count);
    this.#keyed.set(
      column,
      new KeyedList(
        list,
        (note) => this.#elementOf(note),
        (element, note) => updateNote(element, note),
      ),
    );
    const add = (event: Event): void => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === '') return;
      input.value = '';
      // Given back where it could not be written, so that nobody types it twice.
      this.#write(this.#board.add(column, text), () => (input.value ||= text));
    };
    return h(
      'section',
      { class: 'column', 'aria-label': title },
      h('h3', {}, title, ' ', count),
      list,
      h('form', { onsubmit: add }, input, button),
    );
  }

  #show(notes: readonly Note[]): void {
    const before = isCalm() ? null : this.#rectangles();
    const focused = document.activeElement;
    this.#notes = notes;
    for (const column of columns) {
      const own = inColumn(notes, column);
      this.#keyed.get(column)?.show(own, ({ id }) => id);
      const count = this.#counts.get(column);
      if (count !== undefined) setText(count, String(own.length));
    }
    const present = new Set(notes.map(({ id }) => id));
    for (const id of this.#elements.keys()) if (!present.has(id)) this.#elements.delete(id);
    // An element that is put elsewhere loses the focus on its way.
    if (focused instanceof HTMLElement && focused !== document.activeElement) {
      if (this.element.contains(focused)) focused.focus();
    }
    if (before !== null) this.#animate(before);
  }

  /** One element per note for as long as it lives, whichever column it is in. */
  #elementOf(note: Note): HTMLLIElement {
    const present = this.#elements.get(note.id);
    if (present !== undefined) return present;
    const { id } = note;
    const actions: NoteActions = {
      mayWrite: () => this.#canWrite,
      step: (direction) => this.#step(id, direction),
      edit: (text) => this.#write(this.#board.edit(id, text)),
      remove: () => this.#remove(id),
    };
    const element = createNote(note, actions);
    makeDraggable(element, {
      lists: [...this.#lists.values()],
      mayStart: () => this.#canWrite && !element.hasAttribute('data-editing'),
      dropped: (_, { list, index }) => {
        const column = columns.find((one) => this.#lists.get(one) === list);
        if (column !== undefined) this.#write(this.#board.place(id, column, index));
      },
    });
    this.#elements.set(id, element);
    this.#enable(element);
    return element;
  }

  #step(id: string, direction: Direction): void {
    this.#write(this.#board.step(id, direction), undefined, () => {
      const note = this.#notes.find((one) => one.id === id);
      if (note === undefined) return;
      const own = inColumn(this.#notes, note.column);
      const place = own.findIndex((one) => one.id === id) + 1;
      setText(this.#said, `${note.text}: ${titles[note.column]}, ${place} of ${own.length}`);
    });
  }

  #remove(id: string): void {
    const element = this.#elements.get(id);
    const next = element?.nextElementSibling ?? element?.previousElementSibling;
    this.#write(this.#board.remove(id), undefined, () => {
      if (document.activeElement === document.body && next instanceof HTMLElement) next.focus();
    });
  }

  #enable(element: HTMLElement): void {
    for (const button of element.querySelectorAll('button')) button.disabled = !this.#canWrite;
  }

  #write(written: Promise<void>, failed?: () => void, done?: () => void): void {
    written.then(
      () => {
        setText(this.#trouble, '');
        done?.();
      },
      (error: unknown) => {
        // Closed: the person went to another scene meanwhile.
        if (isQuorateError(error, 'CLOSED')) return;
        setText(this.#trouble, error instanceof Error ? error.message : String(error));
        failed?.();
      },
    );
  }

  #rectangles(): ReadonlyMap<string, DOMRect> {
    return new Map(
      [...this.#elements].map(([id, element]) => [id, element.getBoundingClientRect()]),
    );
  }

  /** Lets moved notes travel, so that a move made elsewhere is seen. */
  #animate(before: ReadonlyMap<string, DOMRect>): void {
    for (const [id, element] of this.#elements) {
      const from = before.get(id);
      const to = element.getBoundingClientRect();
      if (from === undefined) {
        element.animate([{ opacity: 0, transform: 'scale(0.96)' }, {}], { duration: 160 });
      } else if (from.left !== to.left || from.top !== to.top) {
        const start = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
        element.animate([{ transform: start }, {}], { duration: 180, easing: 'ease-out' });
      }
    }
  }
}

const titles = { todo: 'To do', doing: 'Doing', done: 'Done' } satisfies Record<Column, string>;
