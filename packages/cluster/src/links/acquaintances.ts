/**
 * The hosts one knows of: where they are, what they ran last, and when they are to be forgotten (T10).
 *
 * A host is dialled for as long as it may be there: while it is linked or listed, and for ever if it
 * was configured or ran, as the last one, a replica of the membership that comes back to it. All
 * others are visitors; who is gone is dialled no more, and told on to nobody.
 */
import type { NodeId } from '@quorate/core';
import type { Announcement, HostId } from '@quorate/contracts';

export type Acquaintance = Announcement & {
  /** The replicas that its last hello named and no other host's since. */
  readonly runs: readonly NodeId[];
};

type Known = {
  addresses: readonly string[];
  runs: readonly NodeId[];
  configured: boolean;
  /** Since when it has had no link; null while it has one. */
  absentSinceMs: number | null;
};

export class Acquaintances {
  readonly #known = new Map<HostId, Known>();

  /** Whether that was news. Beyond the bound, further hosts are not learnt. */
  learn({ host, addresses }: Announcement, nowMs: number): boolean {
    const known = this.#known.get(host);
    if (known?.addresses.join() === addresses.join()) return false;
    if (known !== undefined) known.addresses = addresses;
    else if (this.#known.size >= acquaintanceCountMax) return false;
    else this.#known.set(host, { addresses, runs: [], configured: false, absentSinceMs: nowMs });
    return true;
  }

  /** It is to be reached whatever becomes of it. */
  configured(host: HostId): void {
    const known = this.#known.get(host);
    if (known !== undefined) known.configured = true;
  }

  /** What it runs now; a replica is where it was seen last. */
  runs(host: HostId, runs: readonly NodeId[]): void {
    for (const [other, known] of this.#known) {
      if (other === host) known.runs = runs;
      else if (known.runs.some((id) => runs.includes(id))) {
        known.runs = known.runs.filter((id) => !runs.includes(id));
      }
    }
  }

  /** Since when it has had no link; null: it has one. */
  absentSince(host: HostId, sinceMs: number | null): void {
    const known = this.#known.get(host);
    if (known !== undefined) known.absentSinceMs = sinceMs;
  }

  forget(host: HostId): void {
    this.#known.delete(host);
  }

  /** Who was without a link for so long that it may be gone, and whom nothing keeps. */
  absent(nowMs: number, returns: (nodeId: NodeId) => boolean): HostId[] {
    return [...this.#known.keys()].filter((host) => {
      const known = this.#known.get(host);
      if (known === undefined || known.configured || known.runs.some(returns)) return false;
      return known.absentSinceMs !== null && nowMs - known.absentSinceMs >= absentAfterMs;
    });
  }

  /** Those who come back come last: where only some can be kept, it is the last ones. */
  all(returns: (nodeId: NodeId) => boolean): Acquaintance[] {
    const all = [...this.#known].map(([host, { addresses, runs }]) => ({ host, addresses, runs }));
    const comesBack = ({ runs }: Acquaintance): boolean => runs.some(returns);
    return [...all.filter((one) => !comesBack(one)), ...all.filter(comesBack)];
  }

  /** Whom others should hear of: those who come back, then those who are there. */
  worthTelling(returns: (nodeId: NodeId) => boolean): Announcement[] {
    const told: Announcement[] = [];
    for (const [host, { addresses, runs, absentSinceMs }] of this.#known) {
      if (runs.some(returns)) told.unshift({ host, addresses });
      else if (absentSinceMs === null) told.push({ host, addresses });
    }
    return told;
  }
}

/** Longer than a link takes to be made anew, and than a relay takes to list a host that returned. */
const absentAfterMs = 20_000;
const acquaintanceCountMax = 1_024;
