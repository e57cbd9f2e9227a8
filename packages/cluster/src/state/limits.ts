/** What a member holds of its own callers at once. More is refused, before it costs anybody anything. */
import { QuorateError } from '@quorate/contracts';
import { integer, takeOptions } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';

export type MemberLimits = {
  /** Writes that were called and have no answer yet. Default 65,536. */
  readonly pendingWrites: number;
  /** Bytes of them. Default 64 MiB. */
  readonly pendingWriteBytes: number;
  /** Linearizable reads that wait for their round. Default 16,384. */
  readonly pendingReads: number;
};

const defaults: MemberLimits = {
  pendingWrites: 65_536,
  pendingWriteBytes: 64 * 1024 * 1024,
  pendingReads: 16_384,
};

const kinds: Kinds = Object.fromEntries(Object.keys(defaults).map((name) => [name, integer(1)]));

/** Completes and checks what is given. Throws `TypeError` or `RangeError` naming the field. */
export function memberLimits(wishes?: Partial<MemberLimits>): MemberLimits {
  return { ...defaults, ...takeOptions(wishes, kinds, 'join', 'limits.') };
}

/** Of the calls of one member: how many there may be, and how long they take where they do not say. */
export type CallLimits = MemberLimits & {
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
};

export function callLimits(given: {
  readonly limits?: Partial<MemberLimits>;
  readonly writeTimeoutMs?: number;
  readonly readTimeoutMs?: number;
}): CallLimits {
  const { limits, writeTimeoutMs = 10_000, readTimeoutMs = 5_000 } = given;
  return { ...memberLimits(limits), writeTimeoutMs, readTimeoutMs };
}

/** Nothing was taken: there is as much as `limit` lets through. */
export function overloaded(limit: keyof MemberLimits, limits: MemberLimits): QuorateError {
  const most = limits[limit];
  const what = `Cannot take more: limits.${limit} of ${most} is reached`;
  return new QuorateError('OVERLOADED', what, { details: { limit, max: most } });
}
