/** The mark of the page, and the icon of its tab. */
import { s } from './dom.ts';

/** Three members, one of them crowned. */
export function markIcon(): SVGSVGElement {
  return s(
    'svg',
    { viewBox: '0 0 32 32', width: 28, height: 28, 'aria-hidden': 'true', class: 'mark' },
    s('path', { d: 'M16 10 L7 25 H25 Z', class: 'mark-line' }),
    s('circle', { cx: 16, cy: 11, r: 4.6, class: 'mark-leader' }),
    s('circle', { cx: 7, cy: 25, r: 4.2 }),
    s('circle', { cx: 25, cy: 25, r: 4.2 }),
    s('path', {
      d: 'M10.5 1 L13.5 3.4 L16 0 L18.5 3.4 L21.5 1 L20.6 5.4 H11.4 Z',
      class: 'mark-crown',
    }),
  );
}

/** A disc in the tab's colour, under a crown while it leads; as an address. */
export function tabIcon(tint: string, isLeader: boolean): string {
  const crown = isLeader
    ? '<path d="M6 3 L11.5 8 L16 1 L20.5 8 L26 3 L24.5 12 H7.5 Z" fill="#d99a00"/>'
    : '';
  const disc = isLeader ? 'cy="21" r="10"' : 'cy="16" r="13"';
  return `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" ${disc} fill="${tint}"/>${crown}</svg>`,
  )}`;
}
