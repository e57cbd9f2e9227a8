/**
 * From a store to a replica that could run: its identity, its log, and the state as far as it is
 * known to be committed. Also what a founder's log begins with.
 */
import { decodeMembershipEntry, encodeMembershipEntry, plainMembership } from '@quorate/core';
import type { Entry, HardState, Membership, NodeId, Status } from '@quorate/core';
import { concatBytes, hexFromBytes, isQuorateError, QuorateError } from '@quorate/contracts';
import type {
  HeldLog,
  LoadedLog,
  LogStorage,
  RandomBytes,
  Run,
  StateMachine,
} from '@quorate/contracts';
import type { Genesis, MemberFacts } from '../state/policy.ts';
import {
  decodeMembershipContext,
  encodeMembershipContext,
  ReplicatedState,
} from '../state/replicated-state.ts';
import { openingOf } from '../links/witnesses.ts';
import type { SignedRuns } from '../links/signed-run.ts';
import type { Opening } from '../links/witness-records.ts';

export type Opened = {
  readonly storage: LogStorage;
  readonly run: Run;
  /** The secret half of the replica's key pair (Z39): for signing this run, and for nobody else. */
  readonly key: string | null;
  readonly loaded: LoadedLog;
  readonly state: ReplicatedState;
  /** What this run found, whatever it writes later. */
  readonly opening: Opening;
};

/**
 * Opens the store as a new run (Z1) and restores what it holds; `emptyState` is a snapshot of the
 * state machine before any command. The store is closed again when this rejects.
 */
export async function openReplica(
  storage: LogStorage,
  options: {
    readonly stateMachine: StateMachine;
    readonly emptyState: Uint8Array;
    readonly random: RandomBytes;
    /** May an empty store become a new replica? Default true. */
    readonly create?: boolean;
    readonly topics: readonly string[] | undefined;
    /** Opens a marked replica all the same (Z38): for a look at it that begins no run. Default false. */
    readonly keepThis?: boolean;
    /** Default null. */
    readonly signedRuns?: SignedRuns | null;
    /** Told of the state that is stored where there is no room to begin a run (T20). */
    readonly show?: ((state: ReplicatedState) => void) | undefined;
  },
): Promise<Opened> {
  const { stateMachine, emptyState, random, topics } = options;
  const { create = true, keepThis = false, signedRuns = null } = options;
  try {
    const fresh = signedRuns?.create(random) ?? { nodeId: hexFromBytes(random(16)), key: null };
    const { key, ...run } = await storage.open({
      create,
      newNodeId: fresh.nodeId,
      newKey: fresh.key,
      nonce: hexFromBytes(random(8)),
      keepThis,
      ...(topics === undefined ? {} : { topics }),
    });
    const loaded = await storage.load();
    const snapshotBytes = loaded.snapshot === null ? null : await readSnapshot(storage);
    const state = stateOf(stateMachine, emptyState, { ...loaded, snapshotBytes });
    return { storage, run, key, loaded, state, opening: openingOf(loaded) };
  } catch (error) {
    const { show } = options;
    if (show !== undefined && isQuorateError(error, 'STORAGE_FULL')) {
      // A comfort: whatever is wrong with it, the next try meets it again.
      const held = await storage.look?.().catch(() => null);
      if (held != null) show(stateOf(stateMachine, emptyState, held));
    }
    await storage.close();
    throw error;
  }
}

/** What a running replica has of this moment, on its disk or on the way there. */
export function presentOf({ term, votedFor, lastEntry, snapshot }: Status): Opening {
  return { term, votedFor, lastIndex: Math.max(lastEntry.index, snapshot?.index ?? 0) };
}

/** Everybody who votes, or did, as far back as this log goes (Z54). */
export function votersIn({ snapshot, entries }: LoadedLog): Set<NodeId> {
  const memberships = [
    ...(snapshot === null ? [] : [snapshot.membership]),
    ...entries
      .filter(({ type }) => type === 'membership')
      .map(({ data }) => decodeMembershipEntry(data).membership),
  ];
  return new Set(memberships.flatMap(votersOf));
}

export function votersOf({ voters, votersOutgoing }: Membership): readonly NodeId[] {
  return [...voters, ...votersOutgoing];
}

/** The genesis, as entry 1 carries it, whether it is known to be committed or not. */
export function genesisOf(entries: readonly Entry[]): Genesis | null {
  const first = entries[0];
  if (first?.index !== 1 || first.type !== 'membership') return null;
  return decodeMembershipContext(decodeMembershipEntry(first.data).context).genesis;
}

/** What a founder writes before there is a core: entry 1, committed by the only voter there is. */
export function foundingOf(
  genesis: Genesis,
  facts: MemberFacts,
): { readonly hardState: HardState; readonly entry: Entry } {
  const { founder } = genesis;
  const membership = plainMembership({ voters: [founder], learners: [] });
  const context = encodeMembershipContext({ genesis, members: new Map([[founder, facts]]) });
  return {
    hardState: { currentTerm: 1, votedFor: null, commitIndex: 1 },
    entry: {
      term: 1,
      index: 1,
      type: 'membership',
      data: encodeMembershipEntry(membership, context),
    },
  };
}

/** Rejects with `STORAGE_LOST` where it is not; what is in memory outlives nothing. */
export async function isStillThere(storage: LogStorage): Promise<boolean> {
  await storage.readCache().catch((error: unknown) => {
    if (!isQuorateError(error, 'STORAGE_CORRUPT')) throw error;
  });
  return storage.durable;
}

/** What is known to be committed shows at once, marked stale until a leader confirms. */
function stateOf(
  stateMachine: StateMachine,
  emptyState: Uint8Array,
  { hardState, snapshot, snapshotBytes, entries }: HeldLog,
): ReplicatedState {
  const state = new ReplicatedState(stateMachine, snapshot === null ? emptyState : null);
  if (snapshot !== null && snapshotBytes !== null) {
    state.decode(snapshotBytes, snapshot)();
    state.flush();
  }
  for (const entry of entries) {
    if (entry.index > state.appliedIndex && entry.index <= hardState.commitIndex) {
      state.apply(entry);
    }
  }
  state.flush();
  return state;
}

async function readSnapshot(storage: LogStorage): Promise<Uint8Array> {
  const stored = await storage.readSnapshot();
  if (stored === null) {
    throw new QuorateError('STORAGE_CORRUPT', 'Cannot read the snapshot that the log rests on');
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of stored.chunks) chunks.push(chunk);
  return concatBytes(chunks);
}
