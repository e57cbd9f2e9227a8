/** Whole clusters inside tests of applications, on virtual time. */
export { TestCluster, testCluster } from '@quorate/simulator/testing';
export type { TestClusterOptions, TestMember } from '@quorate/simulator/testing';
export { fakeCluster } from '@quorate/join/testing';
export type { FakeCluster, FakeClusterOptions } from '@quorate/join/testing';
