export { Lease, silentTicksOf } from './replica/lease.ts';
export type { RunFacts } from './links/hello.ts';
export { Host } from './links/host.ts';
export type { HostedReplica } from './links/hosted-replica.ts';
export type { RpcRequest } from './links/rpc.ts';
export { decodeEntry } from './state/envelope.ts';
export type { EntryBody } from './state/envelope.ts';
export { ReplicatedState } from './state/replicated-state.ts';
export type { AppliedEntry } from './state/replicated-state.ts';
