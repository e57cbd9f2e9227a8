export { joinCluster } from './join-cluster.ts';
export type { Cluster, ClusterEvents } from '../cluster.ts';
export type { JoinOptions } from '../options.ts';
export { deriveSecret } from './secret.ts';
export { createSecret } from '../secret.ts';
