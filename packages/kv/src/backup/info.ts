/** What a backup says of itself: the cluster's facts, which are opaque here but for their names, and its state's. */
import type { CborMap } from '@quorate/contracts';
import { encodeCbor } from '@quorate/contracts';
import type { StoreCapture } from '../store.ts';
import { writeBlocks } from './blocks.ts';
import { writeContainer } from './container.ts';

/** What a backup says of itself. */
export type BackupInfo = {
  readonly namespace: string;
  readonly clusterId: string;
  readonly generation: number;
  readonly featureLevel: number;
  /** The revision of the state in it, and the index of the log that made it. */
  readonly revision: number;
  readonly index: number;
  readonly term: number;
  /** Replicated time (Z24) in milliseconds; the restored cluster's goes on from there. */
  readonly time: number;
  readonly keys: number;
  /** The wall clock of the member that it was taken from, ISO 8601: for people, it decides nothing. */
  readonly takenAt: string;
  /** The label of that member. */
  readonly takenFrom: string;
  /** What a person should know before it is restored, in sentences; mostly none. */
  readonly marks: readonly string[];
};

/** A captured state and what is said of it. */
export type BackupSource = {
  readonly facts: CborMap;
  readonly state: StoreCapture;
  readonly info: BackupInfo;
};

export function sourceOf(
  { facts, state }: { readonly facts: CborMap; readonly state: StoreCapture },
  taken: { readonly at: string; readonly from: string; readonly marks?: readonly string[] },
): BackupSource {
  const genesis = facts['genesis'] as CborMap;
  const info: BackupInfo = {
    namespace: genesis['namespace'] as string,
    clusterId: genesis['clusterId'] as string,
    generation: genesis['generation'] as number,
    featureLevel: genesis['featureLevel'] as number,
    revision: state.revision,
    index: facts['index'] as number,
    term: facts['term'] as number,
    time: facts['time'] as number,
    keys: state.records.size,
    takenAt: taken.at,
    takenFrom: taken.from,
    marks: taken.marks ?? [],
  };
  return { facts, state, info };
}

/** The bytes of a backup; returns their checksum at the end. */
export function backupChunks(source: BackupSource): Generator<Uint8Array, string> {
  return writeContainer(headOf(source), writeBlocks(source.state));
}

/** The head of a backup's bytes; read by `openBackup` of Node. */
function headOf({ facts, info }: BackupSource): Uint8Array {
  const { revision, keys, takenAt, takenFrom, marks } = info;
  return encodeCbor({ facts, revision, keys, takenAt, takenFrom, marks });
}
