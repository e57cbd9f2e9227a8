/** How long a lost leader is felt. */
import { h, setAttribute, setText } from './dom.ts';
import type { Failover } from './failover.ts';

export class FailoverCard {
  readonly element: HTMLElement;
  readonly #digits = h('span');
  readonly #number = h('div', { class: 'failover-number' }, this.#digits, h('small', {}, ' ms'));
  readonly #text = h('p', { class: 'muted' });
  readonly #history = h('ul', { class: 'chips', 'aria-label': 'Earlier measurements' });
  #startedAtMs: number | null = null;
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
    setText(this.#text, `${name} is lost. Writing until it works again.`);
    this.#startedAtMs = performance.now();
    this.#tick();
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
    this.#startedAtMs = null;
    this.#showMs(failover.elapsedMs);
    setText(this.#text, `from the loss of ${failover.name} to the next committed write.`);
  }

  close(): void {
    this.#startedAtMs = null;
  }

  /** A watch that runs, while it does. */
  #tick(): void {
    if (this.#startedAtMs === null) return;
    this.#showMs(performance.now() - this.#startedAtMs);
    requestAnimationFrame(() => this.#tick());
  }

  #showMs(ms: number): void {
    setText(this.#digits, Math.round(ms).toLocaleString('en'));
  }
}

const historyMax = 4;
