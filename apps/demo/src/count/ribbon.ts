/** The last commits as cells, each in the colour of the tab that wrote it; crowns lost in between. */
import { h } from '../dom.ts';
import { tintOf } from '../tab-name.ts';
import type { Step } from './counting.ts';

export class Ribbon {
  readonly element: HTMLElement = h('div', { class: 'ribbon', 'aria-hidden': 'true' });

  add(steps: readonly Step[]): void {
    for (const { writer, total } of steps) {
      const cell = h('i', { title: `${total} by ${writer}` });
      cell.style.setProperty('--tint', tintOf(writer));
      this.#append(cell);
    }
  }

  /** A leader was lost here, and `text` after it there was the next commit. */
  mark(text: string): void {
    this.#append(h('b', {}, `♛ ${text}`));
  }

  #append(cell: HTMLElement): void {
    this.element.append(cell);
    while (this.element.childElementCount > cellsMax) this.element.firstElementChild?.remove();
  }
}

/** More than fit into the widest card; the oldest are cut off at its left. */
const cellsMax = 90;
