/** `joinCluster` of Node: a replica in a directory, others over libp2p. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { joinWith } from '../join-cluster.ts';
import type { JoinOptions } from '../options.ts';
import type { Preset } from '../runner.ts';
import { assembleNode } from './assemble.ts';

const node: Preset = {
  place: (options) => {
    if (options.dataDir === undefined && options.storage !== 'memory') return null;
    const hasRelays = options.relays !== undefined && options.relays.length > 0;
    const hasPeers = options.peers !== undefined && options.peers.length > 0;
    const { formation = 'auto' } = options;
    if (!hasRelays && formation !== 'isolated' && !(formation === 'join' && hasPeers)) {
      throw new TypeError(
        "Cannot join from Node without relays: wanted relays, or formation: 'isolated'",
      );
    }
    return options.dataDir === undefined ? `memory ${options.label}` : resolve(options.dataDir);
  },
  label: () => `${hostname().slice(0, 40)}-${process.pid}`,
  assemble: assembleNode,
};

/**
 * Joins the cluster of a namespace and returns a handle at once: calls on it queue until the member
 * is ready, trouble shows in `status` and in `ready()`. A second call for the same member shares
 * it; the last `close()` ends it.
 *
 * In Node a member needs `dataDir` or `storage: 'memory'`; without both the handle is inert (phase
 * `server`), so that rendering on a server never starts one.
 *
 * Throws `TypeError` or `RangeError` for options that cannot be meant.
 */
export function joinCluster(options: JoinOptions): Cluster {
  return joinWith(node, options);
}
