/** `joinCluster`: one member per place and namespace, however often it is called. */
import { onAbort } from '@quorate/contracts';
import { ClusterCore, ClusterHandle } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { checkJoinOptions } from './options.ts';
import type { JoinOptions } from './options.ts';
import type { Preset } from './runner.ts';

type Shared = { readonly core: ClusterCore; readonly wishes: string; count: number };

/** Two copies of this module in one process or page still share their members. */
const registry: Map<string, Shared> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('quorate')
] ??= new Map<string, Shared>()) as Map<string, Shared>;

/** Joins with the parts of one place; see `joinCluster` of its entry. */
export function joinWith(preset: Preset, options: JoinOptions): Cluster {
  checkJoinOptions(options);
  const place = preset.place(options);
  if (place === null) {
    const core = new ClusterCore({ ...options, label: options.label ?? 'server' }, null);
    return new ClusterHandle(core, () => core.close());
  }
  const key = JSON.stringify([options.namespace, place]);
  const wishes = JSON.stringify([options.relays?.map(String) ?? [], options.formation ?? 'auto']);
  const found = registry.get(key);
  if (found !== undefined && found.wishes !== wishes) {
    throw new TypeError(
      `Cannot join ${options.namespace} twice with different relays or formation: close the first handle`,
    );
  }
  const label = options.label ?? preset.label();
  const shared = found ?? {
    core: new ClusterCore({ ...options, label }, preset.assemble),
    wishes,
    count: 0,
  };
  registry.set(key, shared);
  shared.count += 1;
  const handle = new ClusterHandle(shared.core, async () => {
    forget();
    shared.count -= 1;
    if (shared.count > 0) return;
    if (registry.get(key) === shared) registry.delete(key);
    await shared.core.close();
  });
  const close = (): void => void handle.close();
  // A signal that lives on keeps nothing of a handle that was closed (T13).
  const forget = onAbort(options.signal, close);
  if (options.signal?.aborted === true) close();
  return handle;
}
