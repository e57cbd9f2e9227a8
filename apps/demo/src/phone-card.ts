/** How a phone gets here. */
import { h } from './dom.ts';

/** `url`: where it opens this page. */
export function phoneCard(url: string): HTMLElement {
  return h(
    'section',
    { class: 'card phone', 'aria-labelledby': 'phone-title' },
    h('img', { src: '/phone.svg', alt: '', width: 116, height: 116 }),
    h(
      'div',
      {},
      h('h2', { id: 'phone-title' }, 'Join with a phone'),
      h('p', { class: 'muted' }, 'In the same network, open'),
      h('p', {}, h('a', { href: `${url}/#network` }, url.replace('http://', ''))),
      h('p', { class: 'muted' }, 'It is one more member: count there, and see it here.'),
    ),
  );
}
