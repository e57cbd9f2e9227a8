/** `joinCluster`: one member per place and namespace, however often it is called. */
import { onAbort } from '@quorate/contracts';
import { createPolicy } from '@quorate/cluster';
import { ClusterCore, ClusterHandle } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { checkJoinOptions } from './options.ts';
import type { JoinOptions } from './options.ts';
import type { Preset } from './runner.ts';

type Wishes = Readonly<Record<string, string>>;
type Shared = { readonly core: ClusterCore; readonly wishes: Wishes; count: number };

/** Two copies of this module in one process or page still share their members. */
const registry: Map<string, Shared> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('quorate')
] ??= new Map<string, Shared>()) as Map<string, Shared>;

/** Joins with the parts of one place; see `joinCluster` of its entry. */
export function joinWith(preset: Preset, wanted: JoinOptions): Cluster {
  const options = checkJoinOptions(wanted);
  const place = preset.place(options);
  if (place === null) {
    const core = new ClusterCore({ ...options, label: options.label ?? 'server' }, null);
    return new ClusterHandle(core, () => core.close());
  }
  const key = JSON.stringify([options.namespace, place]);
  const wishes = wishesOf(options);
  const found = registry.get(key);
  for (const [name, wish] of Object.entries(found?.wishes ?? {})) {
    if (wish === wishes[name]) continue;
    throw new TypeError(
      `Cannot join ${options.namespace} twice with different ${name}: close the first handle`,
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

/** What two handles on one member must want alike, by value: objects made anew mean the same. */
function wishesOf({ relays, formation, storage, slots, policy, secret }: JoinOptions): Wishes {
  const isNetworked = relays !== undefined && relays.length > 0;
  return {
    relays: JSON.stringify(relays?.map(String) ?? []),
    formation: formation ?? 'auto',
    storage: storage ?? 'auto',
    slots: String(slots ?? (isNetworked ? 1 : 3)),
    policy: JSON.stringify(createPolicy(policy)),
    secret: primaryOf(secret),
  };
}

/** The bytes from which the topic is derived, whichever way they are given. */
function primaryOf(secret: JoinOptions['secret']): string {
  const primary = (Array.isArray(secret) ? secret[0] : secret) as string | Uint8Array | undefined;
  if (primary instanceof Uint8Array) return String.fromCharCode(...primary);
  const text = (primary ?? 'public').trim();
  try {
    // Behind `qs1_` are 32 bytes, and a checksum of them.
    return atob(text.slice(4).replaceAll('-', '+').replaceAll('_', '/')).slice(0, 32) || text;
  } catch {
    return text;
  }
}
