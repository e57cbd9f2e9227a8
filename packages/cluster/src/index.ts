export { compareBytes, equalBytes } from './bytes.ts';
export { encodeCbor } from './cbor.ts';
export { QuorateError, assert, isErrorCode, isQuorateError } from './errors.ts';
export type { Actor, ErrorCode, ErrorOptions, Outcome, Settled } from './errors.ts';
export { fromHalf, halfOf } from './half-float.ts';
export { Member } from './member.ts';
export type { MemberNetwork, MemberOptions } from './member-options.ts';
export { systemClock, systemRandom } from './system.ts';
export { createPolicy, defaultPolicy } from './policy.ts';
export type { RpcRequest } from './rpc.ts';
export { decodeEntry } from './envelope.ts';
export type { EntryBody } from './envelope.ts';
export { Lease, silentTicksOf } from './lease.ts';
export type { LeaseOptions } from './lease.ts';
export { ReplicatedState } from './replicated-state.ts';
export type { AppliedEntry } from './replicated-state.ts';
export type { MemberFacts, Policy, Runtime, Voting } from './policy.ts';
export type { ClusterStatus, MemberInfo, MissingMember, Phase, RaftStatus } from './status.ts';
export type {
  Cipher,
  Handshake,
  HandshakeStep,
  LinkCipher,
  RecordPurpose,
  VerifyRecord,
} from './contracts/cipher.ts';
export type { Clock, RandomBytes } from './contracts/clock.ts';
export type { RegisterTest } from './contracts/conformance-runner.ts';
export type { Applied, BarrierOptions, CallOptions, Consensus } from './contracts/consensus.ts';
export type { Chunks, LoadedLog, LogStorage, OpenOptions, Run } from './contracts/log-storage.ts';
export type { CompareAndSetResult, Register, RegisterRecord } from './contracts/register.ts';
export type { Announcement, Rendezvous } from './contracts/rendezvous.ts';
export type { ApplyContext, StateMachine } from './contracts/state-machine.ts';
export type {
  Channel,
  HostId,
  Link,
  LinkKind,
  Transport,
  TransportHandler,
} from './contracts/transport.ts';
