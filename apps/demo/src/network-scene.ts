/** This tab and three members in Node.js: one cluster, over a relay. */
import { joinCluster } from 'quorate';
import type { Network } from './config.ts';
import { h } from './dom.ts';
import { Processes } from './processes.ts';
import type { Process } from './processes.ts';
import { Scene } from './scene.ts';
import { leaderOf } from './seats.ts';
import type { Seat } from './seats.ts';
import type { SeatAction } from './ring/seat-list.ts';
import type { RunningScene, SceneShown } from './tabs-scene.ts';

export function startNetwork(name: string, network: Network, shown: SceneShown): RunningScene {
  const { namespace, relays, secret, token } = network;
  const cluster = joinCluster({ namespace, relays, secret, label: name });
  const busy = new Set<string>();
  const processOf = (seat: Seat): Process | undefined =>
    processes?.current.find(({ nodeId }) => nodeId === seat.key);

  const kill = async (process: Process, wasLeader: boolean): Promise<void> => {
    if (processes === null) return;
    await during(process.label, async () => {
      scene.lost(process.label, await processes.kill(process.label), wasLeader);
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
    if (state === 'stopped') {
      const run = (): void => void during(label, () => processes.start(label));
      return { text: 'Start', label: `Start ${label} again`, disabled, run };
    }
    const run = (): void => void kill(process, leaderOf(scene.seats)?.key === seat.key);
    return { text: 'Kill', label: `Kill ${label} by SIGKILL`, disabled, run };
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
        if (process !== undefined) void kill(process, true);
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
    failoverHint:
      token === null
        ? 'Kill a member on the machine that runs them, and watch.'
        : 'SIGKILL, no goodbye. The others elect, and writes go on. Two dead: read-only.',
    failoverActions: [killCrown],
    seatAction,
    shown: (status, seats) => {
      const leader = leaderOf(seats);
      killCrown.disabled = leader === null || processOf(leader)?.state !== 'running';
      shown(status, seats);
    },
  });
  const processes =
    token === null
      ? null
      : new Processes({ ...network, token }, (all) => {
          const known = all.filter(({ nodeId }) => nodeId !== null);
          scene.setNodes(new Set(known.map(({ nodeId }) => nodeId ?? '')));
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
      scene.close();
      await cluster.close();
    },
  };
}
