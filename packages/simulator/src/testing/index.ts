export { TestCluster, testCluster } from './test-cluster.ts';
export type { TestClusterOptions } from './test-cluster.ts';
export type { TestMember } from './test-member.ts';
