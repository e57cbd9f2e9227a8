/** Which path to a host is tried, which of two hosts tries, and how long. Pure: no dial is made here. */
import type { HostId } from '@quorate/contracts';
import { isRelayed, isWebRtc, readable, withoutWebRtc } from './addresses.ts';
import type { LinkTiming } from './options.ts';

/** What is known of the way to a host, sorted by kind. */
export type Paths = {
  /** Addresses that this host can dial itself. */
  readonly direct: readonly string[];
  /** Addresses through relays. */
  readonly relayed: readonly string[];
  /** Whether the other host answers WebRTC over its relayed addresses. */
  readonly webRtc: boolean;
};

/** `canDial` says whether this host's own networks reach a direct address at all. */
export function sortPaths(
  addresses: readonly string[],
  canDial: (address: string) => boolean,
): Paths {
  const direct: string[] = [];
  const relayed = new Set<string>();
  let webRtc = false;
  for (const address of readable(addresses)) {
    const text = address.toString();
    if (isWebRtc(address)) {
      webRtc = true;
      relayed.add(withoutWebRtc(text));
    } else if (isRelayed(address)) relayed.add(text);
    else if (canDial(text)) direct.push(text);
  }
  return { direct, relayed: [...relayed], webRtc };
}

/** The same addresses with another one first each time: a dead one must not always be in front. */
export function rotated(addresses: readonly string[], turn: number): readonly string[] {
  const first = turn % Math.max(1, addresses.length);
  return [...addresses.slice(first), ...addresses.slice(0, first)];
}

/** How this host can be reached. */
export type Reach = { readonly direct: boolean; readonly webRtc: boolean };

/**
 * How long a host that is wanted may come by itself before it is dialled, in milliseconds. Whoever
 * has the better path dials (a page dials a Node process, which cannot dial a page); of two with the
 * same path the one with the lower id.
 */
export function firstWaitMs(
  hosts: { readonly own: HostId; readonly other: HostId },
  reach: Reach,
  paths: Paths,
  timing: LinkTiming,
): number {
  const isEven = paths.direct.length > 0 ? reach.direct : paths.webRtc && reach.webRtc;
  if (isEven || (reach.direct && paths.relayed.length === 0)) {
    return hosts.own > hosts.other ? timing.yieldMs : 0;
  }
  if (reach.direct && paths.direct.length === 0) return timing.yieldToDirectMs;
  return 0;
}

/** How WebRTC has fared: where it does not work, nobody waits for it before every link. */
export class WebRtcRecord {
  #failuresInRow = 0;
  #everWorked = false;

  /** Whether a first link should wait for WebRTC, after so many failures with the host in question. */
  isPromising(failuresWithHost: number): boolean {
    return failuresWithHost === 0 && (this.#everWorked || this.#failuresInRow < failuresToDoubt);
  }

  worked(): void {
    this.#failuresInRow = 0;
    this.#everWorked = true;
  }

  failed(): void {
    this.#failuresInRow += 1;
    // A network that worked and now fails with everybody is another network.
    if (this.#failuresInRow >= 2 * failuresToDoubt) this.#everWorked = false;
  }
}

/** The deadline of a WebRTC dial; a slow network gets more of it each time. */
export function webRtcDeadlineMs(failuresWithHost: number, timing: LinkTiming): number {
  return Math.min(timing.webRtcTimeoutMs * 2 ** failuresWithHost, timing.openTimeoutMs);
}

const failuresToDoubt = 3;
