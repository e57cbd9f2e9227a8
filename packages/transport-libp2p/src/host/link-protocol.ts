/**
 * How a link is opened: three streams on one connection, each of which begins with the same header.
 * The initiator opens all three at once; when the responder has them together it answers with one
 * byte on `rpc`; the initiator confirms with one byte there. So each side has seen a round trip
 * before it believes the link.
 */
import { bytesFromHex, hexFromBytes } from '@quorate/contracts';
import type { Channel } from '@quorate/contracts';

export const channels: readonly ['raft', 'bulk', 'rpc'] = ['raft', 'bulk', 'rpc'];

export const protocolOf: Readonly<Record<Channel, string>> = {
  raft: '/quorate/raft/1',
  bulk: '/quorate/bulk/1',
  rpc: '/quorate/rpc/1',
};

export type LinkHeader = {
  /** 64 lowercase hex digits. */
  readonly topic: string;
  /** 16 lowercase hex digits, fresh for each attempt. */
  readonly linkId: string;
};

const headerVersion = 1;
const topicBytes = 32;
const linkIdBytes = 8;
export const headerBytes: number = 1 + topicBytes + linkIdBytes;

/** The responder's byte. */
export const answers = {
  accepted: 1,
  unknownTopic: 2,
  /** The responder, which has the lower id, is opening a link itself. */
  mineComes: 3,
} as const;

/** The initiator's byte once it was accepted. */
export const confirmation = 1;

/** Control records inside a link. */
export const controls = { ping: 1, pong: 2, goodbye: 3 } as const;

export function encodeHeader(header: LinkHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  bytes[0] = headerVersion;
  bytes.set(bytesFromHex(header.topic), 1);
  bytes.set(bytesFromHex(header.linkId), 1 + topicBytes);
  return bytes;
}

/** Null for a header of another version. */
export function decodeHeader(bytes: Uint8Array): LinkHeader | null {
  if (bytes.length !== headerBytes || bytes[0] !== headerVersion) return null;
  return {
    topic: hexFromBytes(bytes.subarray(1, 1 + topicBytes)),
    linkId: hexFromBytes(bytes.subarray(1 + topicBytes)),
  };
}

export function isTopic(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

export function newLinkId(random: (count: number) => Uint8Array): string {
  return hexFromBytes(random(linkIdBytes));
}
