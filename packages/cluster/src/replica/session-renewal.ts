/**
 * A member's session lives while the leader hears of it (Z27): it says so six times a lifetime, by a
 * request that is no entry.
 */
import type { NodeId } from '@quorate/core';
import { ByteReader, ByteWriter, QuorateError } from '@quorate/contracts';
import type { RequestOptions } from '../links/rpc.ts';
import type { Policy } from '../state/policy.ts';

export type SessionRenewalOptions = {
  readonly nodeId: NodeId;
  readonly policy: Policy;
  readonly request: (
    to: NodeId,
    method: string,
    body: Uint8Array,
    options: RequestOptions,
  ) => Promise<Uint8Array>;
  readonly session: () => number | null;
  readonly leader: () => NodeId | null;
  readonly leads: () => boolean;
  readonly seen: (session: number) => void;
  /** Resolves once it is confirmed that this one leads still. */
  readonly confirm: (signal: AbortSignal) => Promise<void>;
};

export class SessionRenewal {
  readonly #options: SessionRenewalOptions;
  #renewedAt = 0;

  constructor(options: SessionRenewalOptions) {
    this.#options = options;
  }

  /** At each tick. */
  look(now: number): void {
    const { nodeId, policy, request, session: current, leader: known, seen } = this.#options;
    const session = current();
    const leader = known();
    if (session === null || leader === null) return;
    if (now - this.#renewedAt < policy.sessionLifetimeMs / 6) return;
    this.#renewedAt = now;
    if (leader === nodeId) return seen(session);
    const body = new ByteWriter(8).varint(session).finish();
    request(leader, 'renew', body, { timeoutMs: policy.electionTimeoutMsMax }).catch(() => {
      // Asked again soon; a lifetime holds six of these.
      this.#renewedAt = now - policy.sessionLifetimeMs / 12;
    });
  }

  /** The leader's side. Errors: `NO_LEADER`, and those of a read. */
  async answer(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { leads, seen, confirm } = this.#options;
    // Z27: only a leader's word counts; elsewhere the renewal would be lost silently.
    if (!leads()) throw new QuorateError('NO_LEADER', 'Cannot renew: this member does not lead');
    seen(new ByteReader(body).varint());
    // Z44: it may have stood still, and lead nobody any more: it asks before it answers (K5).
    await confirm(signal);
    return new Uint8Array(0);
  }
}
