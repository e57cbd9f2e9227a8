/** How the cluster is, in words: one sentence, and what lies behind it. */
import type { ClusterStatus } from 'quorate';
import { h, setAttribute, setText } from './dom.ts';

export class Banner {
  readonly element: HTMLElement;
  readonly #message = h('strong');
  readonly #details = h('span');

  constructor() {
    this.element = h(
      'div',
      { class: 'banner', role: 'status', 'aria-live': 'polite' },
      h('span', { class: 'lamp', 'aria-hidden': 'true' }),
      h('p', {}, this.#message, ' ', this.#details),
    );
  }

  show(status: ClusterStatus): void {
    setAttribute(this.element, 'data-mood', moodOf(status));
    const [first = '', ...more] = status.message.split('; ').map(asSentence);
    const details = [...more, detailsOf(status)].filter((text) => text !== '');
    setText(this.#message, details.length === 0 ? first : `${first}.`);
    setText(this.#details, details.join(' '));
  }
}

/** A part of a message that stands for itself. */
function asSentence(part: string, at: number): string {
  return at === 0 ? part : `${part.charAt(0).toUpperCase()}${part.slice(1)}.`;
}

function moodOf({ phase, reason }: ClusterStatus): 'good' | 'waiting' | 'bad' {
  if (phase === 'ready') return reason === null ? 'good' : 'waiting';
  return phase === 'read-only' || phase === 'stopped' || phase === 'outdated' ? 'bad' : 'waiting';
}

function detailsOf({ phase, members, durability }: ClusterStatus): string {
  if (phase === 'read-only') return 'This tab goes on reading from its own copy.';
  if (phase !== 'ready') return '';
  const voters = members.filter(({ kind }) => kind === 'voter');
  const here = voters.filter(({ reachable }) => reachable).length;
  const votes = `${here} of ${voters.length} voting copies in reach`;
  // Where no page can keep a copy the message has said so already.
  const own =
    durability === 'memory' && isSecureContext ? "; this tab's own is in memory only" : '';
  return `${votes}${own}.`;
}
