export { onAbort } from './abort.ts';
export {
  ByteReader,
  ByteWriter,
  bytesFromHex,
  compareBytes,
  concatBytes,
  equalBytes,
  hashBytes,
  hexFromBytes,
} from './bytes/bytes.ts';
export {
  asArray,
  asBoolean,
  asBytes,
  asId,
  asInteger,
  asMap,
  asNullable,
  asText,
  decodeCborMap,
  encodeCbor,
} from './bytes/cbor.ts';
export type { CborMap } from './bytes/cbor.ts';
export { fromHalf, halfOf } from './bytes/half-float.ts';
export type {
  Cipher,
  Handshake,
  HandshakeStep,
  LinkCipher,
  RecordPurpose,
  VerifyRecord,
} from './cipher.ts';
export type { Clock, RandomBytes } from './clock.ts';
export type { RegisterTest } from './conformance-runner.ts';
export type {
  Applied,
  BarrierOptions,
  CallOptions,
  Consensus,
  ProposeOptions,
} from './consensus.ts';
export { sleep, withDeadline } from './deadline.ts';
export {
  QuorateError,
  asFatal,
  assert,
  isErrorCode,
  isQuorateError,
  madeWithAnotherSecret,
} from './errors.ts';
export type { Actor, ErrorCode, ErrorOptions, Outcome, Settled } from './errors.ts';
export type { Chunks, HeldLog, LoadedLog, LogStorage } from './log-storage.ts';
export { patient } from './patient-clock.ts';
export { registerValueBytesMax } from './register.ts';
export type { CompareAndSetResult, Register, RegisterRecord } from './register.ts';
export type { ActiveCluster, Announcement, Rendezvous } from './rendezvous.ts';
export { givenUpCountMax, isRefusalCode, nextRun, pastCountMax } from './run.ts';
export type { Mark, OpenedRun, OpenOptions, Run, RunId, StoredRun } from './run.ts';
export type { RunSigner } from './run-signer.ts';
export type { ApplyContext, StateMachine } from './state-machine.ts';
export { systemClock, systemRandom } from './system.ts';
export type { Channel, HostId, Link, LinkKind, Transport, TransportHandler } from './transport.ts';
