/** The tabs of this browser alone: no server, no relay. */
import { joinCluster } from 'quorate';
import type { ClusterStatus } from 'quorate';
import { h } from './dom.ts';
import { knownPositions, Neighbours } from './neighbours.ts';
import { Scene } from './scene.ts';
import { leaderOf } from './seats.ts';
import type { Seat } from './seats.ts';

export type RunningScene = {
  readonly element: HTMLElement;
  /** Resolves once this tab has left the cluster. */
  close(): Promise<void>;
};

export type SceneShown = (status: ClusterStatus, seats: readonly Seat[]) => void;

export function startTabs(name: string, shown: SceneShown): RunningScene {
  // Before the cluster, so that a leader says that it goes before its crown is handed over.
  const neighbours = new Neighbours('tabs', name, {
    positions: (positions) => scene.setPositions(positions),
    left: (who, atMs) => scene.lost(who, atMs),
    closeAsked: closeThisTab,
  });
  const cluster = joinCluster({ namespace: 'demo-tabs', label: name });
  const closeCrowned = h(
    'button',
    {
      type: 'button',
      class: 'danger',
      disabled: true,
      onclick: () => {
        const { leader } = scene;
        if (leader?.self === true) closeThisTab();
        else if (leader !== null) neighbours.askToClose(leader.name);
      },
    },
    'Close the crowned tab',
  );
  const scene = new Scene({
    cluster,
    name,
    apart: false,
    heading: 'Your tabs are the cluster.',
    text:
      'Open this page a few times. The tabs keep three copies between them, one tab leads, and a ' +
      'write counts once a majority has it. There is no server.',
    program: ["namespace: 'hello'"],
    failoverHint: 'Open two or three tabs, close the crowned one, and look at another.',
    failoverActions: [
      h('button', { type: 'button', onclick: () => openTab(null) }, 'Open another tab'),
      h('button', { type: 'button', onclick: () => openTab(besideFeatures()) }, 'Open one beside'),
      closeCrowned,
    ],
    seatAction: () => null,
    aside: null,
    note: null,
    shown: (status, seats) => {
      closeCrowned.disabled = leaderOf(seats) === null;
      neighbours.tellPositions(knownPositions(status));
      shown(status, seats);
    },
  });
  scene.start();
  return {
    element: scene.element,
    async close() {
      scene.close();
      neighbours.close();
      await cluster.close();
    },
  };
}

/** Without an opener: each tab stands for itself, also for the browser that schedules them. */
function openTab(features: string | null): void {
  const url = `${location.pathname}${location.hash}`;
  window.open(url, '_blank', features === null ? 'noopener' : `noopener,${features}`);
}

/** A window of its own, so that two can be looked at together. */
function besideFeatures(): string {
  const width = Math.min(720, Math.max(420, Math.round(screen.availWidth / 2)));
  return `popup,width=${width},height=${Math.round(screen.availHeight * 0.9)}`;
}

/** Browsers let a script close only what a script opened; any other tab leaves to an empty page. */
function closeThisTab(): void {
  window.close();
  setTimeout(() => location.assign('/left'), 150);
}
