/** `joinCluster`: one member per place and namespace, however often it is called. */
import { resolve } from 'node:path';
import { hostname } from 'node:os';
import { ClusterCore, ClusterHandle } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { assembleNode } from './node/assemble.ts';
import { checkJoinOptions } from './options.ts';
import type { JoinOptions } from './options.ts';

type Shared = { readonly core: ClusterCore; readonly wishes: string; count: number };

/** Two copies of this module in one process still share their members. */
const registry: Map<string, Shared> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('quorate')
] ??= new Map<string, Shared>()) as Map<string, Shared>;

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
  checkJoinOptions(options);
  const inert = options.dataDir === undefined && options.storage !== 'memory';
  if (inert) {
    const core = new ClusterCore({ ...options, label: options.label ?? 'server' }, null);
    return new ClusterHandle(core, () => core.close());
  }
  const hasRelays = options.relays !== undefined && options.relays.length > 0;
  const hasPeers = options.peers !== undefined && options.peers.length > 0;
  const { formation = 'auto' } = options;
  if (!hasRelays && formation !== 'isolated' && !(formation === 'join' && hasPeers)) {
    throw new TypeError(
      "Cannot join from Node without relays: wanted relays, or formation: 'isolated'",
    );
  }
  return share(options);
}

function share(options: JoinOptions): Cluster {
  const place = options.dataDir === undefined ? 'memory' : resolve(options.dataDir);
  const key = JSON.stringify([options.namespace, place, options.dataDir ? '' : options.label]);
  const wishes = JSON.stringify([options.relays?.map(String) ?? [], options.formation ?? 'auto']);
  const found = registry.get(key);
  if (found !== undefined && found.wishes !== wishes) {
    throw new TypeError(
      `Cannot join ${options.namespace} twice with different relays or formation: close the first handle`,
    );
  }
  const label = options.label ?? `${hostname().slice(0, 40)}-${process.pid}`;
  const shared = found ?? {
    core: new ClusterCore({ ...options, label }, assembleNode),
    wishes,
    count: 0,
  };
  registry.set(key, shared);
  shared.count += 1;
  const handle = new ClusterHandle(shared.core, async () => {
    shared.count -= 1;
    if (shared.count > 0) return;
    if (registry.get(key) === shared) registry.delete(key);
    await shared.core.close();
  });
  const close = (): void => void handle.close();
  if (options.signal?.aborted === true) close();
  else options.signal?.addEventListener('abort', close, { once: true });
  return handle;
}
