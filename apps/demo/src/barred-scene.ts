/** The tabs of a browser that gives this page no place to keep replicas: what is in the way. */
import { joinCluster } from 'quorate';
import { Banner } from './banner.ts';
import { h } from './dom.ts';
import type { RunningScene } from './tabs-scene.ts';

/** `hasNetwork`: the other scene is there, and works here. */
export function startBarred(name: string, hasNetwork: boolean): RunningScene {
  const cluster = joinCluster({ namespace: 'demo-tabs', label: name });
  const banner = new Banner();
  const end = cluster.subscribe((status) => banner.show(status));
  const other = h('a', { href: '#network' }, 'join the Node.js members instead');
  return {
    element: h(
      'div',
      { class: 'scene barred' },
      h(
        'header',
        { class: 'intro' },
        h('h1', {}, 'Tabs alone need https or localhost.'),
        h(
          'p',
          {},
          `${location.host} is neither, and only there do browsers let pages keep replicas that ` +
            'outlive a tab. Open this scene on the machine that serves it',
          hasNetwork ? ', or ' : null,
          hasNetwork ? other : null,
          '.',
        ),
      ),
      banner.element,
    ),
    async close() {
      end();
      await cluster.close();
    },
  };
}
