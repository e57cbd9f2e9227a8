/** How long a lost leader is felt. */
import { h, setAttribute, setText } from './dom.ts';
import type { Failover } from './failover.ts';

export class FailoverCard {
  readonly element: HTMLElement;
  readonly #number = h('output', { class: 'failover-number' }, '');
  readonly #text = h('p', { class: 'muted' });
  readonly #history = h('ul', { class: 'chips', 'aria-label': 'Earlier measurements' });
  #last: Failover | null = null;

  /** `actions`: what a person can do to lose a leader; `timeline`: what happened. */
  constructor(hint: string, actions: readonly HTMLElement[], timeline: HTMLElement) {
    this.element = h(
      'section',
      { class: 'card failover', 'aria-labelledby': 'failover-title', 'data-state': 'idle' },
      h('h2', { id: 'failover-title' }, 'Lose the leader'),
      h('div', { class: 'failover-row' }, this.#number, this.#text),
      h('div', { class: 'buttons' }, ...actions),
      this.#history,
      timeline,
    );
    setText(this.#text, hint);
  }

  started(name: string): void {
    setAttribute(this.element, 'data-state', 'running');
    setText(this.#number, '…');
    setText(this.#text, `${name} is lost. Writing until it works again.`);
  }

  done(failover: Failover): void {
    if (this.#last !== null) {
      this.#history.prepend(
        h('li', {}, `${this.#last.name} ${Math.round(this.#last.elapsedMs)} ms`),
      );
      while (this.#history.childElementCount > historyMax) this.#history.lastElementChild?.remove();
    }
    this.#last = failover;
    setAttribute(this.element, 'data-state', 'done');
    this.#number.replaceChildren(
      h('span', {}, Math.round(failover.elapsedMs).toLocaleString('en')),
      h('small', {}, ' ms'),
    );
    setText(this.#text, `from the loss of ${failover.name} to the next committed write.`);
  }
}

const historyMax = 4;
