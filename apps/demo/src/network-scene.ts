/** This tab and three members in Node.js: one cluster, over a relay. */
import { joinCluster } from 'quorate';
import type { Network } from './config.ts';
import { h } from './dom.ts';
import { phoneCard } from './phone-card.ts';
import { knownPositions, Neighbours } from './neighbours.ts';
import { Processes } from './processes.ts';
import type { Process } from './processes.ts';
import { Scene } from './scene.ts';
import { leaderOf } from './seats.ts';
import type { Seat } from './seats.ts';
import type { SeatAction } from './ring/seat-list.ts';
import type { RunningScene, SceneShown } from './tabs-scene.ts';

export type NetworkSceneOptions = {
  readonly shown: SceneShown;
  /** Where a phone opens this page; null: nothing is said of phones. */
  readonly phone: string | null;
};

export function startNetwork(
  name: string,
  network: Network,
  { shown, phone }: NetworkSceneOptions,
): RunningScene {
  const { namespace, relays, secret, token } = network;
  const neighbours = new Neighbours('network', name, {
    positions: (positions) => scene.setPositions(positions),
    left: (nodeId, atMs) => scene.lost(nodeId, atMs),
    closeAsked: () => {},
  });
  const cluster = joinCluster({ namespace, relays, secret, label: name });
  const busy = new Set<string>();
  const processOf = (seat: Seat): Process | undefined =>
    processes?.current.find(({ nodeId }) => nodeId === seat.key);

  const kill = async (process: Process): Promise<void> => {
    if (processes === null) return;
    await during(process.label, async () => {
      const goneAtMs = await processes.kill(process.label);
      if (process.nodeId === null) return;
      scene.lost(process.nodeId, goneAtMs);
      neighbours.tellLeft(process.nodeId, goneAtMs);
    });
  };
  const during = async (label: string, run: () => Promise<void>): Promise<void> => {
    busy.add(label);
    scene.redraw();
    try {
      await run();
    } catch (error) {
      scene.say(error instanceof Error ? error.message : String(error));
    }
    busy.delete(label);
    scene.redraw();
  };
  const seatAction = (seat: Seat): SeatAction | null => {
    const process = processOf(seat);
    if (process === undefined || processes === null) return null;
    const { label, state } = process;
    const disabled = busy.has(label) || state === 'starting';
    // It runs, and the cluster has not found it again yet.
    const badge = seat.reachable || state === 'stopped' ? null : 'coming back';
    if (state === 'stopped') {
      const run = (): void => void during(label, () => processes.start(label));
      return { text: 'Start', label: `Start ${label} again`, disabled, badge, run };
    }
    const run = (): void => void kill(process);
    return { text: 'Kill', label: `Kill ${label} by SIGKILL`, disabled, badge, run };
  };
  const killCrown = h(
    'button',
    {
      type: 'button',
      class: 'danger',
      disabled: true,
      hidden: token === null,
      onclick: () => {
        const leader = leaderOf(scene.seats);
        const process = leader === null ? undefined : processOf(leader);
        if (process !== undefined) void kill(process);
      },
    },
    'Kill the crown',
  );
  const scene = new Scene({
    cluster,
    name,
    apart: true,
    heading: 'This tab and three Node.js processes.',
    text:
      'One cluster, met at a relay. The processes vote and keep the data on disk; tabs, on any ' +
      'device, read their own copy and write from wherever they are.',
    program: ["namespace: 'hello'", "relays: ['wss://relay.example.com']", 'secret'],
    failoverHint:
      token === null
        ? 'Kill a member on the machine that runs them, and watch.'
        : 'SIGKILL, without a goodbye. The others elect one of them, and writes go on. With two dead: read-only.',
    failoverActions: [killCrown],
    aside: phone === null ? null : phoneCard(phone),
    note:
      token === null
        ? 'Only the page on the machine that runs them can kill the Node.js members.'
        : null,
    seatAction,
    shown: (status, seats) => {
      const leader = leaderOf(seats);
      killCrown.disabled = leader === null || processOf(leader)?.state !== 'running';
      neighbours.tellPositions(knownPositions(status));
      shown(status, seats);
    },
  });
  const processes =
    token === null
      ? null
      : new Processes({ ...network, token }, (all) => {
          const known = all.filter(({ nodeId }) => nodeId !== null);
          scene.setPositions(
            new Map(
              known.flatMap(({ nodeId, position }) =>
                position === null ? [] : [[nodeId ?? '', position]],
              ),
            ),
          );
        });
  scene.start();
  return {
    element: scene.element,
    async close() {
      processes?.close();
      neighbours.close();
      scene.close();
      await cluster.close();
    },
  };
}
