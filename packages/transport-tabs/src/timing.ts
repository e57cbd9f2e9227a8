/** Numbers of the transport, with their defaults. Durations are in milliseconds. */

export type TabsTiming = {
  /** Between two pings on a link. Default 1,000. */
  readonly pingIntervalMs: number;
  /** A link that was silent for so long is dead. Default 4,000. */
  readonly silentAfterMs: number;
  /**
   * Between a tab's lock coming free and its links going down. The lock travels its own way, and may
   * overtake what the tab said last. Default 50.
   */
  readonly goneAfterMs: number;
  /** For the answer to a hello; a tab that is there answers within a turn. Default 1,000. */
  readonly helloTimeoutMs: number;
  /** First pause after an unanswered hello; doubles, jittered, up to `retryMsMax`. Default 100. */
  readonly retryMsMin: number;
  /** Default 2,000. */
  readonly retryMsMax: number;
};

export const defaultTiming: TabsTiming = {
  pingIntervalMs: 1_000,
  silentAfterMs: 4_000,
  goneAfterMs: 50,
  helloTimeoutMs: 1_000,
  retryMsMin: 100,
  retryMsMax: 2_000,
};

/** Longest frame, as in the other transports. */
export const frameBytesMax: number = 1024 * 1024 + 64 * 1024;

/** Bytes per link and channel that wait for credit before `send` refuses. */
export const queueBytesMax: number = 4 * 1024 * 1024;

/** Bytes per link and channel that may be under way, unread by the other tab. */
export const windowBytes: number = 512 * 1024;

/** What was read is told in steps of this size. */
export const creditBytes: number = windowBytes / 4;
