/**
 * Whether the other side of a link still remembers what it did as the same run (Z72). A machine that
 * is put back with its memory is the same run: its nonce says nothing, and its disk may lack what it
 * swore a minute ago. But whatever it did since is gone from its memory too.
 *
 * So each side draws a random for each link, names it in its hello, and names those that it drew for
 * the links before. Who remembers a link that the other side does not name does not hear it: two dials
 * may have crossed, and the next one tells. Each side also says which link of the other one it remembers
 * last, and that is exact: a run knows what it drew.
 */
import type { NodeId } from '@quorate/core';
import { hexFromBytes } from '@quorate/contracts';
import type { HostId, RandomBytes, RunId } from '@quorate/contracts';

/** What a side says of its own links to the other one, in each hello. */
export type LinkProof = {
  /** Of this link. */
  readonly random: string;
  /** Of links before it to the same host, the newest first; at most 16. */
  readonly earlier: readonly string[];
};

/** What a side remembers of a run on the other one. */
export type HeardRun = {
  readonly nodeId: NodeId;
  readonly nonce: string;
  /** Of the last link over which it was heard. */
  readonly random: string;
  /** Its log lacked what it had acknowledged: whatever it names, it was put back. */
  readonly forgot: boolean;
};

export class LinkMemory {
  readonly #random: RandomBytes;
  /** By host, the oldest first. */
  readonly #drawn = new Map<HostId, string[]>();
  readonly #heard = new Map<NodeId, HeardRun & { readonly host: HostId }>();

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** Begins what this side says on a link to `host`. */
  begin(host: HostId): LinkProof {
    const drawn = this.#drawn.get(host) ?? [];
    const earlier = [...drawn].reverse();
    const random = hexFromBytes(this.#random(8));
    drawn.push(random);
    // The first is the last that the other side is known to remember.
    if (drawn.length > earlierCountMax) drawn.splice(1, 1);
    this.#drawn.delete(host);
    this.#drawn.set(host, drawn);
    for (const [other] of this.#drawn) {
      if (this.#drawn.size <= hostCountMax) break;
      this.#drawn.delete(other);
    }
    return { random, earlier };
  }

  /** The other side heard this run over the link of `random`: did this side draw that? */
  drew(host: HostId, random: string): boolean {
    const drawn = this.#drawn.get(host);
    const at = drawn?.indexOf(random) ?? -1;
    if (at > 0) drawn?.splice(0, at);
    return at >= 0;
  }

  /** From now on this run is heard, over a link of which it said `proof`. */
  heard(nodeId: NodeId, { nonce }: RunId, host: HostId, { random }: LinkProof): void {
    this.#heard.set(nodeId, { nodeId, nonce, host, random, forgot: false });
  }

  /** The run that was heard last of this replica lacks what it acknowledged. */
  forgot(nodeId: NodeId): void {
    const known = this.#heard.get(nodeId);
    if (known !== undefined) this.#heard.set(nodeId, { ...known, forgot: true });
  }

  /** Does this side remember of the run what it does not? */
  lacks(nodeId: NodeId, { nonce }: RunId, { random, earlier }: LinkProof): boolean {
    const known = this.#heard.get(nodeId);
    if (known === undefined || known.nonce !== nonce) return false;
    return known.forgot || (known.random !== random && !earlier.includes(known.random));
  }

  /** What is said to `host` of the runs that were heard from there. */
  said(host: HostId): HeardRun[] {
    const said: HeardRun[] = [];
    for (const { host: at, ...run } of this.#heard.values()) if (at === host) said.push(run);
    return said.slice(-heardCountMax);
  }
}

export const earlierCountMax = 16;
/** A host runs few replicas, and of earlier ones of them nobody asks. */
export const heardCountMax = 64;
/** Hosts without a link for longest go first: those had the most time to say what they remember. */
const hostCountMax = 256;
