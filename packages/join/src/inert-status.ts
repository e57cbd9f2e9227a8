/** How a member is that never starts. */
import type { ClusterStatus } from '@quorate/cluster';

/** The status of a handle that never starts a member. */
export function inertStatus(namespace: string, label: string): ClusterStatus {
  return {
    namespace,
    clusterId: null,
    generation: 0,
    nodeId: null,
    label,
    phase: 'server',
    canWrite: false,
    reason: 'SERVER',
    message: "This handle is inert: in Node a member needs dataDir or storage: 'memory'",
    missing: [],
    durability: 'memory',
    copies: 0,
    pendingWrites: 0,
    registerLost: null,
    members: [],
    forks: [],
    raft: {
      role: 'none',
      term: 0,
      leader: null,
      commitIndex: 0,
      appliedIndex: 0,
      firstIndex: 0,
      lastIndex: 0,
      snapshotIndex: 0,
      epoch: 0,
      time: 0,
      clock: 'none',
      counters: {},
    },
  };
}
