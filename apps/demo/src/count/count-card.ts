/** The shared counter: a number, a button, a stream, and the proof that nothing is lost. */
import type { KeyValue } from 'quorate';
import { h, setAttribute, setText } from '../dom.ts';
import { Counting } from './counting.ts';
import { Ribbon } from './ribbon.ts';
import type { Tally } from './tally.ts';

export type CountCardOptions = {
  readonly kv: KeyValue;
  readonly writer: string;
  readonly mayWrite: () => boolean;
  /** Something was committed by somebody. */
  readonly committed: () => void;
};

export class CountCard {
  readonly element: HTMLElement;
  readonly #counting: Counting;
  readonly #options: CountCardOptions;
  readonly #ribbon = new Ribbon();
  readonly #number = h('output', { class: 'count-number', 'aria-label': 'Count' }, '…');
  readonly #plus: HTMLButtonElement;
  readonly #stream: HTMLButtonElement;
  readonly #verdict = h('p', { class: 'verdict' });
  #streaming = false;

  constructor(options: CountCardOptions) {
    this.#options = options;
    this.#counting = new Counting(options.kv, options.writer, {
      stepped: (total, steps) => {
        setText(this.#number, total.toLocaleString('en'));
        this.#ribbon.add(steps);
        if (steps.length > 0) options.committed();
      },
      tallied: (tally) => this.#tell(tally),
    });
    this.#plus = h(
      'button',
      { class: 'primary', type: 'button', onclick: () => void this.#counting.add() },
      '+1',
    );
    this.#stream = h(
      'button',
      { type: 'button', 'aria-pressed': 'false', onclick: () => this.#toggle() },
      'Stream of +1',
    );
    this.element = h(
      'section',
      { class: 'card count', 'aria-labelledby': 'count-title' },
      h('h2', { id: 'count-title' }, 'One counter, exact'),
      h(
        'div',
        { class: 'count-row' },
        this.#number,
        h('div', { class: 'buttons' }, this.#plus, this.#stream),
      ),
      this.#ribbon.element,
      this.#verdict,
    );
    this.#tell({ acknowledged: 0, unknown: 0, seen: 0, lost: 0, doubled: 0 });
  }

  show(canWrite: boolean): void {
    this.#plus.disabled = !canWrite;
    // A stream that runs may be stopped at any time.
    this.#stream.disabled = !canWrite && !this.#streaming;
  }

  mark(text: string): void {
    this.#ribbon.mark(text);
  }

  close(): void {
    this.#counting.close();
  }

  #toggle(): void {
    this.#streaming = !this.#streaming;
    setAttribute(this.#stream, 'aria-pressed', String(this.#streaming));
    setText(this.#stream, this.#streaming ? 'Stop the stream' : 'Stream of +1');
    if (this.#streaming) this.#counting.stream(this.#options.mayWrite);
    else this.#counting.stopStream();
  }

  #tell({ acknowledged, unknown, seen, lost, doubled }: Tally): void {
    const facts = [
      fact('acknowledged', acknowledged, 'acknowledged here'),
      fact('seen', seen, 'seen from all'),
      fact('lost', lost, 'lost', lost > 0),
      fact('doubled', doubled, 'counted twice', doubled > 0),
    ];
    if (unknown > 0) facts.push(fact('unknown', unknown, 'in doubt'));
    this.#verdict.replaceChildren(...facts);
  }
}

function fact(name: string, value: number, text: string, isBad = false): HTMLElement {
  return h(
    'span',
    { 'data-fact': name, 'data-bad': isBad },
    h('b', {}, value.toLocaleString('en')),
    ` ${text}`,
  );
}
