/** The page: takes a name, joins, and shows one scene at a time. */
import { startBarred } from './barred-scene.ts';
import { readConfig } from './config.ts';
import { h, setAttribute } from './dom.ts';
import { markIcon, tabIcon } from './icons.ts';
import { startNetwork } from './network-scene.ts';
import { leaderOf } from './seats.ts';
import { takeName, tintOf } from './tab-name.ts';
import { startTabs } from './tabs-scene.ts';
import type { RunningScene, SceneShown } from './tabs-scene.ts';

type SceneName = 'tabs' | 'network';

const config = readConfig();

async function main(): Promise<void> {
  const name = await takeName();
  document.documentElement.style.setProperty('--own', tintOf(name));
  const stage = h('main', { id: 'stage' });
  const links = {
    tabs: h('a', { href: '#tabs' }, 'Tabs only'),
    network: h('a', { href: '#network', hidden: config.network === null }, 'Tabs and Node.js'),
  };
  document.body.replaceChildren(header(name, links), stage);

  let running: RunningScene | null = null;
  let current: SceneName | null = null;
  const show = async (): Promise<void> => {
    const wanted = sceneOf(location.hash);
    if (wanted === current) return;
    current = wanted;
    for (const [key, link] of Object.entries(links)) {
      if (key === wanted) setAttribute(link, 'aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    const before = running;
    running = null;
    before?.element.remove();
    await before?.close();
    // Somebody may have gone on to the next scene while this one ended.
    if (current !== wanted) return;
    running = start(wanted, name);
    stage.replaceChildren(running.element);
  };
  addEventListener('hashchange', () => void show());
  await show();
}

function start(scene: SceneName, name: string): RunningScene {
  if (scene === 'network' && config.network !== null) {
    return startNetwork(name, config.network, { shown: inTitle(name), phone: config.phone });
  }
  if (!isSecureContext) return startBarred(name, config.network !== null);
  return startTabs(name, inTitle(name));
}

function sceneOf(hash: string): SceneName {
  if (config.network === null) return 'tabs';
  // Tabs alone need what browsers give to https and localhost only: there a phone begins elsewhere.
  const first = isSecureContext ? 'tabs' : 'network';
  return hash === '#network' ? 'network' : hash === '#tabs' ? 'tabs' : first;
}

/** The strip of tabs shows who wears the crown, whichever of them is looked at. */
function inTitle(name: string): SceneShown {
  let before = '';
  return (_, seats) => {
    const isLeader = leaderOf(seats)?.self === true;
    const title = `${isLeader ? '♛ ' : ''}${name} · Quorate`;
    if (title === before) return;
    before = title;
    document.title = title;
    const icon = document.querySelector('link[rel="icon"]');
    const tint = getComputedStyle(document.documentElement).getPropertyValue('--own');
    if (icon !== null) setAttribute(icon, 'href', tabIcon(tint.trim(), isLeader));
  };
}

function header(name: string, links: Readonly<Record<SceneName, HTMLElement>>): HTMLElement {
  const words = h('span', {}, h('small', {}, 'This tab is '), name);
  const chip = h('span', { class: 'chip' }, h('span', { class: 'dot' }), words);
  chip.style.setProperty('--tint', 'var(--own)');
  return h(
    'header',
    { class: 'top' },
    h('a', { class: 'brand', href: '#' }, markIcon(), h('span', {}, 'Quorate')),
    h('nav', { 'aria-label': 'Scenes' }, links.tabs, links.network),
    chip,
  );
}

void main();
