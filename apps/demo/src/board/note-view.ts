/** One note: its words, who wrote it, and the ways to move, change and remove it. */
import { h, setAttribute, setFlag, setText } from '../dom.ts';
import { tintOf } from '../tab-name.ts';
import type { Direction, Note } from './notes.ts';

export type NoteActions = {
  readonly mayWrite: () => boolean;
  readonly step: (direction: Direction) => void;
  readonly edit: (text: string) => void;
  readonly remove: () => void;
};

export function createNote(note: Note, actions: NoteActions): HTMLLIElement {
  const text = h('p', { class: 'note-text' });
  const button = (name: string, sign: string, run: () => void): HTMLButtonElement =>
    h('button', { type: 'button', class: `icon ${name}`, onclick: run }, sign);
  const element = h(
    'li',
    { class: 'note', tabindex: 0, 'data-id': note.id },
    h('span', { class: 'grip', 'aria-hidden': 'true' }, '⠿'),
    text,
    h(
      'div',
      { class: 'note-buttons' },
      button('left', '←', () => actions.step('left')),
      button('right', '→', () => actions.step('right')),
      button('edit', '✎', () => edit(element, text, actions)),
      button('remove', '✕', actions.remove),
    ),
  );
  element.addEventListener('keydown', (event) => {
    if (event.target !== element || !actions.mayWrite()) return;
    const run = keys[event.key];
    if (run === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (run === 'edit') edit(element, text, actions);
    else if (run === 'remove') actions.remove();
    else actions.step(run);
  });
  // The note takes the pointer for a drag, so both clicks are its own and not those of its words.
  element.addEventListener('dblclick', ({ target }) => {
    if (target instanceof Element && target.closest('button, textarea') !== null) return;
    if (actions.mayWrite()) edit(element, text, actions);
  });
  return element;
}

export function updateNote(element: HTMLElement, note: Note): void {
  const text = element.querySelector('.note-text');
  if (text !== null) setText(text, note.text);
  element.style.setProperty('--tint', tintOf(note.author));
  setAttribute(element, 'title', `Written by ${note.author}`);
  setFlag(element, 'data-first', note.column === 'todo');
  setFlag(element, 'data-last', note.column === 'done');
  const names = { left: 'Move left', right: 'Move right', edit: 'Edit', remove: 'Delete' };
  for (const [name, label] of Object.entries(names)) {
    const button = element.querySelector(`.${name}`);
    if (button !== null) setAttribute(button, 'aria-label', `${label}: ${note.text}`);
  }
}

/** Enter keeps the words, Escape forgets them. */
function edit(element: HTMLElement, text: HTMLElement, actions: NoteActions): void {
  if (element.hasAttribute('data-editing')) return;
  const before = text.textContent ?? '';
  const area = h('textarea', { rows: 2, maxlength: 200, 'aria-label': 'Words of the note' });
  area.value = before;
  element.setAttribute('data-editing', '');
  text.hidden = true;
  text.after(area);
  area.focus();
  area.select();
  let over = false;
  const end = (isKept: boolean, isBack: boolean): void => {
    if (over) return;
    over = true;
    const after = area.value.trim();
    area.remove();
    text.hidden = false;
    element.removeAttribute('data-editing');
    if (isBack) element.focus();
    if (isKept && after !== '' && after !== before) actions.edit(after);
  };
  area.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      end(true, true);
    }
    if (event.key === 'Escape') end(false, true);
    event.stopPropagation();
  });
  area.addEventListener('blur', () => end(true, false));
}

const keys: Readonly<Record<string, Direction | 'edit' | 'remove'>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Enter: 'edit',
  Delete: 'remove',
};
