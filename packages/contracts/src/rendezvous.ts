import type { HostId } from './transport.ts';

/** What a host says of itself to others of its namespace. Hints: checked by hello, never trusted. */
export type Announcement = {
  readonly host: HostId;
  readonly addresses: readonly string[];
};

/**
 * Where hosts of one namespace find each other. Best effort: nothing here decides anything.
 */
export interface Rendezvous {
  /** Keeps this host listed until `close`; call again when addresses change. Never throws. */
  announce(announcement: Announcement): void;
  /** The others listed now. Rejects with `UNREACHABLE`. */
  list(signal: AbortSignal): Promise<readonly Announcement[]>;
  /** Calls back for each host as it appears or changes. The returned function ends it. */
  watch(listener: (announcement: Announcement) => void): () => void;
  close(): Promise<void>;
}
