/** The gate of the constructor: defaults, and what a caller may not pass. */
import type { Config, InitialState } from './config.ts';
import type { InitialLog } from './log.ts';
import type { Entry, EntryId } from './types.ts';

export type Settings = Required<Config>;

/** Fills in the defaults. Throws `TypeError` or `RangeError` for what cannot be meant. */
export function resolveConfig(config: Config): Settings {
  const settings: Settings = {
    nodeId: config.nodeId,
    seed: config.seed,
    heartbeatTicks: config.heartbeatTicks ?? 2,
    electionTimeoutTicksMin: config.electionTimeoutTicksMin ?? 20,
    electionTimeoutTicksMax: config.electionTimeoutTicksMax ?? 40,
    priority: config.priority ?? priorityMax,
    appendBytesMax: config.appendBytesMax ?? 256 * 1024,
    inflightCountMax: config.inflightCountMax ?? 128,
    inflightBytesMax: config.inflightBytesMax ?? 4 * 1024 * 1024,
    uncommittedBytesMax: config.uncommittedBytesMax ?? 16 * 1024 * 1024,
    applyBytesMax: config.applyBytesMax ?? 1024 * 1024,
    leaseReads: config.leaseReads ?? false,
    silentTicks: config.silentTicks ?? 0,
  };
  if (typeof settings.nodeId !== 'string' || settings.nodeId === '') {
    throw new TypeError('Cannot start: nodeId is empty, wanted a non-empty string');
  }
  if (!Number.isFinite(settings.seed)) {
    throw new RangeError(`Cannot start: seed is ${settings.seed}, wanted a finite number`);
  }
  for (const name of limitNames) {
    const value = settings[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`Cannot start: ${name} is ${value}, wanted a positive safe integer`);
    }
  }
  checkPriority(settings.priority, 'start');
  if (!Number.isSafeInteger(settings.silentTicks) || settings.silentTicks < 0) {
    throw new RangeError(
      `Cannot start: silentTicks is ${settings.silentTicks}, wanted a safe integer from 0 on`,
    );
  }
  const { heartbeatTicks, electionTimeoutTicksMin: min, electionTimeoutTicksMax: max } = settings;
  if (heartbeatTicks >= min) {
    throw new RangeError(
      `Cannot start: heartbeatTicks is ${heartbeatTicks}, wanted less than the election timeout of ${min}`,
    );
  }
  if (max <= min) {
    throw new RangeError(
      `Cannot start: electionTimeoutTicksMax is ${max}, wanted more than electionTimeoutTicksMin ${min}`,
    );
  }
  return settings;
}

export function checkPriority(priority: number, action: string): void {
  if (Number.isSafeInteger(priority) && priority >= 0 && priority <= priorityMax) return;
  throw new RangeError(
    `Cannot ${action}: priority is ${priority}, wanted an integer from 0 to ${priorityMax}`,
  );
}

/** The priority of a member that waits no longer than it must. */
export const priorityMax: number = 2;

/**
 * Checks what a storage gave back and finds where the log begins. Throws `RangeError` when it
 * contradicts itself: such a replica must not start.
 */
export function checkInitialState(initial: InitialState): CheckedState {
  const { hardState, snapshot, appliedIndex } = initial;
  const snapshotIndex = snapshot?.index ?? 0;
  const { prev, entries } = findLog(initial);
  let before = prev;
  for (const entry of entries) {
    if (entry.index !== before.index + 1 || entry.term < before.term) {
      throw new RangeError(
        `Cannot start: entry ${entry.term}/${entry.index} follows ${before.term}/${before.index}`,
      );
    }
    before = entry;
  }
  if (hardState.currentTerm < before.term) {
    throw new RangeError(
      `Cannot start: currentTerm is ${hardState.currentTerm}, wanted at least the log's ${before.term}`,
    );
  }
  if (hardState.commitIndex > before.index) {
    throw new RangeError(
      `Cannot start: commitIndex is ${hardState.commitIndex}, wanted at most the log's ${before.index}`,
    );
  }
  const commitIndex = Math.max(hardState.commitIndex, snapshotIndex);
  if (appliedIndex < snapshotIndex || appliedIndex > commitIndex) {
    throw new RangeError(
      `Cannot start: appliedIndex is ${appliedIndex}, wanted ${snapshotIndex} to ${commitIndex}`,
    );
  }
  return { log: { prev, entries, snapshot, commitIndex, appliedIndex }, snapshotIndex };
}

export type CheckedState = { readonly log: InitialLog; readonly snapshotIndex: number };

function findLog(initial: InitialState): { prev: EntryId; entries: readonly Entry[] } {
  const { snapshot, entries } = initial;
  const first = entries[0];
  const atSnapshot = { term: snapshot?.term ?? 0, index: snapshot?.index ?? 0 };
  if (first === undefined) return { prev: atSnapshot, entries };
  if (first.index === atSnapshot.index + 1) return { prev: atSnapshot, entries };
  if (snapshot === null || first.index > snapshot.index) {
    throw new RangeError(
      `Cannot start: the log begins at ${first.index}, wanted at most ${atSnapshot.index + 1}`,
    );
  }
  // A snapshot from elsewhere replaces a log that ends before it or disagrees with it.
  const last = entries[snapshot.index - first.index];
  if (last === undefined || last.term !== snapshot.term) return { prev: atSnapshot, entries: [] };
  if (first.index === 1) return { prev: { term: 0, index: 0 }, entries };
  // A trailing window: the term before its first entry is not known any more, so that entry
  // becomes the one that others are compared with.
  return { prev: { term: first.term, index: first.index }, entries: entries.slice(1) };
}

const limitNames = [
  'heartbeatTicks',
  'electionTimeoutTicksMin',
  'electionTimeoutTicksMax',
  'appendBytesMax',
  'inflightCountMax',
  'inflightBytesMax',
  'uncommittedBytesMax',
  'applyBytesMax',
] as const;
