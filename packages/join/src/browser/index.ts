export { joinCluster } from './join-cluster.ts';
export type { Cluster, ClusterEvents } from '../cluster.ts';
export type { JoinOptions } from '../options.ts';
