/**
 * Which opening of a replica this is, and from which it comes (Z1, Z48). A store that was copied or
 * put back draws a nonce of its own at its next opening: from there on it is another branch of the
 * same replica's history, and the list of its nonces says so for as long as others remember.
 */
import type { NodeId } from '@quorate/core';
import { QuorateError } from './errors.ts';

/** One opening among all of one replica. */
export type RunId = { readonly epoch: number; readonly nonce: string };

/**
 * One opening of one replica (Z1). The NodeId is created with the log and stored in it; lose one,
 * lose both. `epoch` grows by one at every opening and is durable before anything is loaded;
 * `nonce` tells two openings apart that claim one epoch (a copied store).
 */
export type Run = RunId & {
  readonly nodeId: NodeId;
  /** Nonces of the runs before it on this branch, the newest first: epoch − 1, epoch − 2 …, at most 31. */
  readonly past: readonly string[];
  /** Runs whose branches a person gave up for this one (Z48), at most 8. */
  readonly givenUp: readonly RunId[];
};

/** Why a replica must not be opened again by itself (Z38). */
export type Mark = {
  readonly code: 'REPLICA_ROLLED_BACK' | 'REPLICA_CLONED';
  /** One sentence for a person: what was found, and by whom. */
  readonly message: string;
  /** Runs of this replica that others know and this branch does not come from. */
  readonly others: readonly RunId[];
  /** Its cluster gave its seat up: it is data now, for whoever wants to archive it (Z55). */
  readonly seatGivenUp: boolean;
};

/**
 * A run for whoever opened it, with the secret half of its replica's key pair (Z39): hex digits, or null
 * where replicas have none. It leaves neither this process nor the store.
 */
export type OpenedRun = Run & { readonly key: string | null };

/** Does it say that a replica was put back, or copied? */
export function isRefusalCode(code: unknown): code is Mark['code'] {
  return code === 'REPLICA_ROLLED_BACK' || code === 'REPLICA_CLONED';
}

/** What a store keeps of its replica: its latest run, and whether another may follow. */
export type StoredRun = OpenedRun & { readonly mark: Mark | null };

export type OpenOptions = {
  /** May an empty store become a new replica? False on an empty store: `STORAGE_LOST`. */
  readonly create: boolean;
  /** The identity it gets then: 32 lowercase hex digits from 16 random bytes. */
  readonly newNodeId: NodeId;
  /** The key that goes with that identity, if it has one (`RunSigner.create`). Default null. */
  readonly newKey?: string | null;
  /** This opening's nonce: 16 lowercase hex digits. */
  readonly nonce: string;
  /**
   * Topics of the secrets that this opening has, the primary first. A new replica keeps the first; one
   * of none of them is `BAD_SECRET`, before the store is taken or anything in it changed (Z42), but
   * for one that never persisted anything: a new one takes its place. Absent: not asked for.
   */
  readonly topics?: readonly string[];
  /**
   * Opens a marked replica all the same, which takes the mark away: a person said that this is the
   * branch to keep. The run names those that are given up for it. Default false.
   */
  readonly keepThis?: boolean;
  /**
   * Opens a marked replica as it is, to mark it anew or to archive it: neither its run nor its mark
   * changes, and nobody may run it. Default false.
   */
  readonly asMarked?: boolean;
};

/**
 * The run that follows what is stored, to be stored before anything is loaded. Throws the mark's code
 * where a replica is marked and nobody said to keep it.
 */
export function nextRun(stored: StoredRun | null, options: OpenOptions): StoredRun {
  const { newNodeId, newKey = null, nonce, keepThis = false, asMarked = false } = options;
  if (stored === null) {
    return {
      nodeId: newNodeId,
      key: newKey,
      epoch: 1,
      nonce,
      past: [],
      givenUp: [],
      mark: null,
    };
  }
  const { nodeId, key, epoch, mark } = stored;
  if (mark !== null && asMarked) return stored;
  if (mark !== null && !keepThis) throw refusalOf(nodeId, mark);
  const past = [stored.nonce, ...stored.past].slice(0, pastCountMax);
  const givenUp = [...(mark?.others ?? []), ...stored.givenUp].slice(0, givenUpCountMax);
  return { nodeId, key, epoch: epoch + 1, nonce, past, givenUp, mark: null };
}

/** What is said of a marked replica, at each try to open it. */
function refusalOf(nodeId: NodeId, mark: Mark): QuorateError {
  return new QuorateError(
    mark.code,
    `Cannot open replica ${nodeId}: it is marked. ${mark.message}`,
    {
      outcome: 'not-applied',
      details: { nodeId, mark },
    },
  );
}

/** With the present run: 32 are known of each branch. */
export const pastCountMax = 31;
export const givenUpCountMax = 8;
