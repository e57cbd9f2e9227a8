/** The few lines that a page of one's own begins with. */
import { h } from './dom.ts';

/** `options`: what `joinCluster` takes, one per line. */
export function programCard(options: readonly string[]): HTMLElement {
  const program = [
    "import { joinCluster } from 'quorate'",
    '',
    'const cluster = joinCluster({',
    ...options.map((option) => `  ${option},`),
    '})',
    "const clicks = cluster.counter('clicks')",
    'clicks.subscribe((count) => { plus.textContent = count })',
    'plus.onclick = () => clicks.add(1)',
  ];
  return h(
    'section',
    { class: 'card code', 'aria-labelledby': 'code-title' },
    h('h2', { id: 'code-title' }, 'The program behind a counter'),
    h('pre', { tabindex: 0 }, h('code', {}, program.join('\n'))),
  );
}
