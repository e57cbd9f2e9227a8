import type { HostId } from './transport.ts';

/** The cluster of which a host runs a member, once it acknowledges (Z41). */
export type ActiveCluster = {
  readonly clusterId: string;
  /** The counter of its generation: what a later one replaced has a lower one. */
  readonly generation: number;
  /** The member's, for people. */
  readonly label: string;
};

/** What a host says of itself to others of its namespace. Hints: checked by hello, never trusted. */
export type Announcement = {
  readonly host: HostId;
  readonly addresses: readonly string[];
  /** Left out where no member of an active cluster runs: fresh, superseded, refused, sealed. */
  readonly cluster?: ActiveCluster;
};

/**
 * Where hosts of one namespace find each other. Best effort: nothing here decides anything. Who is
 * named as a member of an active cluster keeps a fresh replica from founding another one (Z41).
 */
export interface Rendezvous {
  /** Keeps this host listed until `close`; call again when something of it changes. Never throws. */
  announce(announcement: Announcement): void;
  /** The others listed now. Rejects with `UNREACHABLE`. */
  list(signal: AbortSignal): Promise<readonly Announcement[]>;
  /** Calls back for each host as it appears or changes. The returned function ends it. */
  watch(listener: (announcement: Announcement) => void): () => void;
  close(): Promise<void>;
}
