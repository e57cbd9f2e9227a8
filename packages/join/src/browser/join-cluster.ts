/** `joinCluster` of a page: replicas of the browser profile, shared by the tabs of one origin. */
import type { KvStateMachine } from '@quorate/kv';
import type { Cluster } from '../cluster.ts';
import { joinWith } from '../join-cluster.ts';
import type { JoinOptions } from '../options.ts';
import type { Preset } from '../runner.ts';
import { browserEnvironment } from './browser-environment.ts';
import { TabRunner } from './tab-runner.ts';

const page: Preset = {
  place: (options) => {
    // Rendered on a server, or a worker at an edge: nothing starts there.
    if (typeof document === 'undefined') return null;
    return options.relays !== undefined && options.relays.length > 0 ? 'relays' : 'tabs';
  },
  label: () => `tab-${Math.random().toString(36).slice(2, 6)}`,
  assemble: (options, machine: KvStateMachine) => {
    const runner = new TabRunner(options, machine, browserEnvironment());
    return { runner, peerId: () => runner.peerId, addresses: () => runner.addresses };
  },
};

/**
 * Joins the cluster of a namespace and returns a handle at once: calls on it queue until the member
 * is ready, trouble shows in `status` and in `ready()`. A second call in the same page shares the
 * member; the last `close()` ends it.
 *
 * Without `relays` the tabs of one browser profile are the cluster: it keeps `slots` replicas (3),
 * run by whichever tabs are open, and further tabs are learners in memory. With `relays` and a
 * `secret` pages and Node processes of any device are members of one cluster, and a profile keeps one
 * replica. On a server the handle is inert (phase `server`).
 *
 * Throws `TypeError` or `RangeError` for options that cannot be meant.
 */
export function joinCluster(options: JoinOptions): Cluster {
  return joinWith(page, options);
}
