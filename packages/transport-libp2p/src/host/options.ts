/** Numbers of the transport, with their defaults. Durations are in milliseconds. */

export type LinkTiming = {
  /** Between two pings on a link. Default 1,000. */
  readonly pingIntervalMs: number;
  /** A link that was silent for so long is dead. Default 4,000. */
  readonly silentAfterMs: number;
  /** For opening a link on a connection that exists. Default 4,000. */
  readonly openTimeoutMs: number;
  /** For one dial, over all addresses of a host. Default 6,000. */
  readonly dialTimeoutMs: number;
  /** First pause after a failed attempt; doubles, jittered, up to `retryMsMax`. Default 200. */
  readonly retryMsMin: number;
  /** Default 5,000. */
  readonly retryMsMax: number;
  /**
   * How long the higher of two hosts that can reach each other leaves dialling to the lower one.
   * Short, since a newcomer is often known to nobody: of two simultaneous links one goes away at
   * once, and that costs less than a wait. Default 300.
   */
  readonly yieldMs: number;
  /**
   * How long a host that can be dialled leaves dialling to one that cannot: that one's link will be
   * direct. Default 1,000.
   */
  readonly yieldToDirectMs: number;
  /** How long the higher of two hosts waits for a dial that the lower one has begun. Default 3,000. */
  readonly silenceMs: number;
  /**
   * What a first link waits for WebRTC before it goes through the relay; WebRTC is then tried again
   * beside it, with more patience. Default 1,500.
   */
  readonly webRtcTimeoutMs: number;
  /** First pause before a relayed link looks for a direct path; doubles up to a minute. Default 1,000. */
  readonly upgradeMs: number;
  /** A connection that carries nothing closes after so long. Default 15,000. */
  readonly idleAfterMs: number;
};

export const defaultTiming: LinkTiming = {
  pingIntervalMs: 1_000,
  silentAfterMs: 4_000,
  openTimeoutMs: 4_000,
  dialTimeoutMs: 6_000,
  retryMsMin: 200,
  retryMsMax: 5_000,
  yieldMs: 300,
  yieldToDirectMs: 1_000,
  silenceMs: 3_000,
  webRtcTimeoutMs: 1_500,
  upgradeMs: 1_000,
  idleAfterMs: 15_000,
};

/** Longest frame. A frame is the unit of memory that a stranger can make us hold. */
export const frameBytesMax: number = 1024 * 1024 + 64 * 1024;

/** Unsent bytes per link and channel before `send` refuses. */
export const queueBytesMax: number = 4 * 1024 * 1024;

/** What a graceful close may take before streams are reset. */
export const closeGraceMs = 1_000;

/** Links that strangers have begun and not finished, over all namespaces of a host. */
export const openingLinksMax = 256;
