/** How a phone gets here. */
import { h } from './dom.ts';

/** `url`: where it opens this page. */
export function phoneCard(url: string): HTMLElement {
  return h(
    'aside',
    { class: 'phone', 'aria-label': 'Join with a phone' },
    h('img', { src: '/phone.svg', alt: '', width: 92, height: 92 }),
    h(
      'p',
      {},
      h('strong', {}, 'Join with a phone'),
      ' of this network: it is one more member, at ',
      h('a', { href: url }, url.replace('http://', '')),
    ),
  );
}
