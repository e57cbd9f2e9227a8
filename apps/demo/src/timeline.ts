/** What just happened, newest first. */
import { h } from './dom.ts';

export class Timeline {
  readonly element: HTMLElement = h('ol', { class: 'timeline', 'aria-live': 'polite' });

  add(text: string, mark: 'crown' | 'good' | 'bad' | 'plain' = 'plain'): void {
    const time = new Date().toLocaleTimeString('en-GB');
    this.element.prepend(h('li', { 'data-mark': mark }, h('time', {}, time), h('span', {}, text)));
    while (this.element.childElementCount > linesMax) this.element.lastElementChild?.remove();
  }
}

const linesMax = 5;
