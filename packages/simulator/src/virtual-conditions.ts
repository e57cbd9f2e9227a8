/** What the virtual network does to what travels on it, and how one looks on. */
import type { Channel, HostId } from '@quorate/contracts';
import type { Prng } from './prng.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type NetworkConditions = {
  /** One way. */
  delayMsMin: number;
  delayMsMax: number;
  /** Chance that a frame takes ten times as long. */
  slowChance: number;
  bytesPerMs: number;
  /** Below: the `raft` channel only, and only in lossy mode. */
  lossy: boolean;
  lossChance: number;
  duplicateChance: number;
  reorderChance: number;
  /** A cut of this length ends a link. */
  linkTimeoutMs: number;
};

/** Sees each frame as it is handed over and as it arrives. */
export type NetworkTap = {
  sent?(from: HostId, to: HostId, channel: Channel, frame: Uint8Array): void;
  delivered?(from: HostId, to: HostId, channel: Channel, frame: Uint8Array): void;
};

/** Longest frame that a link takes. */
export const frameBytesMax: number = 1024 * 1024;

/** The network as its links and transports see it. */
export type Surroundings = {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly conditions: NetworkConditions;
  readonly tap: NetworkTap;
  /** Milliseconds that a frame takes now, one way. */
  delay(): number;
  /** Does this direction carry nothing? */
  isCut(from: HostId, to: HostId): boolean;
};
