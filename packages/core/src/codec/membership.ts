import { describeInvalid, membersMax } from '../membership.ts';
import type { Membership } from '../types.ts';
import { DecodeError } from './errors.ts';
import { contextBytesMax, membershipVersion } from './limits.ts';
import { Reader } from './reader.ts';
import { Writer, varintBytesMax } from './writer.ts';

/** What the data of a `membership` entry say. */
export type MembershipEntry = { readonly membership: Membership; readonly context: Uint8Array };

/**
 * The data of a `membership` entry. `context` is the proposer's and opaque here. Throws
 * `RangeError` for an invalid membership, a node id the codec cannot carry, or a long context.
 */
export function encodeMembershipEntry(membership: Membership, context: Uint8Array): Uint8Array {
  const invalid = describeInvalid(membership);
  if (invalid !== null) throw new RangeError(`Cannot encode a membership: ${invalid}`);
  if (context.length > contextBytesMax) {
    throw new RangeError(
      `Cannot encode a context of ${context.length} bytes: wanted at most ${contextBytesMax}`,
    );
  }
  const writer = new Writer(1 + membershipBytesMax(membership) + varintBytesMax + context.length);
  writer.byte(membershipVersion);
  writeMembership(writer, membership);
  writer.blob(context);
  return writer.finish();
}

/** Reads what `encodeMembershipEntry` wrote; `context` is a view. Throws `DecodeError`. */
export function decodeMembershipEntry(data: Uint8Array): MembershipEntry {
  const reader = new Reader(data);
  const version = reader.byte();
  if (version !== membershipVersion) {
    throw new DecodeError(
      `Cannot read a membership of version ${version}: wanted ${membershipVersion}`,
    );
  }
  const membership = readMembership(reader);
  const context = reader.blob(contextBytesMax);
  reader.end();
  return { membership, context };
}

export function membershipBytesMax(membership: Membership): number {
  const { voters, votersOutgoing, learners, learnersNext } = membership;
  const count = voters.length + votersOutgoing.length + learners.length + learnersNext.length;
  return 4 * varintBytesMax + 16 * count;
}

export function writeMembership(writer: Writer, membership: Membership): void {
  writer.nodeIds(membership.voters);
  writer.nodeIds(membership.votersOutgoing);
  writer.nodeIds(membership.learners);
  writer.nodeIds(membership.learnersNext);
}

export function readMembership(reader: Reader): Membership {
  const membership: Membership = {
    voters: reader.nodeIds(membersMax),
    votersOutgoing: reader.nodeIds(membersMax),
    learners: reader.nodeIds(membersMax),
    learnersNext: reader.nodeIds(membersMax),
  };
  const invalid = describeInvalid(membership);
  if (invalid !== null) throw new DecodeError(`Cannot read a membership: ${invalid}`);
  return membership;
}
