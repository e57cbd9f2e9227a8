/**
 * What tabs say to each other, as plain data for a structured clone. Anything on the origin may post
 * on these channels, other releases too: what is not understood is ignored.
 *
 * ```
 * quorate <topic> host <host>    Hello: the door of one host, which alone listens there
 * quorate <topic> link <id>      LinkMessage: one link, two ends
 * quorate <topic> meet           MeetMessage: everybody
 * ```
 *
 * A link has a channel of its own, for whoever opens a channel in order to post on it is handed
 * everything that others post there.
 */
import type { Announcement, Channel, HostId } from '@quorate/contracts';

/** "I want a link with you; answer on its channel." */
export type Hello = {
  readonly type: 'hello';
  readonly version: number;
  readonly from: HostId;
  readonly link: string;
};

export type LinkMessage =
  /** From who was asked; then from who asked: each has seen a round trip before it believes. */
  | { readonly type: 'accept'; readonly lock: string | null }
  | { readonly type: 'confirm'; readonly lock: string | null }
  | { readonly type: 'frames'; readonly channel: Channel; readonly frames: readonly Uint8Array[] }
  /** So many more bytes of frames were read. */
  | { readonly type: 'credit'; readonly channel: Channel; readonly bytes: number }
  | { readonly type: 'ping' | 'pong'; readonly number: number }
  | { readonly type: 'bye'; readonly reason: string };

export type MeetMessage =
  | { readonly type: 'who' }
  | { readonly type: 'here'; readonly announcement: Announcement }
  | { readonly type: 'gone'; readonly host: HostId };

export const version = 1;
export const channels: readonly Channel[] = ['raft', 'rpc', 'bulk'];

export function doorName(topic: string, host: HostId): string {
  return `quorate ${topic} host ${host}`;
}

export function linkName(topic: string, link: string): string {
  return `quorate ${topic} link ${link}`;
}

export function meetName(topic: string): string {
  return `quorate ${topic} meet`;
}

/** Held by a host for as long as it lives; see `TabsTransportOptions.locks`. */
export function lockName(topic: string, host: HostId): string {
  return `quorate ${topic} tab ${host}`;
}

/** Null for anything that is no hello of this version. */
export function parseHello(data: unknown): Hello | null {
  if (!isRecord(data) || data['type'] !== 'hello' || data['version'] !== version) return null;
  const { from, link } = data;
  if (!isName(from) || !isName(link)) return null;
  return { type: 'hello', version, from, link };
}

/** Null for anything that is no message of a link. */
export function parseLinkMessage(data: unknown): LinkMessage | null {
  if (!isRecord(data)) return null;
  const { type, channel, frames, bytes, number, reason, lock } = data;
  switch (type) {
    case 'accept':
    case 'confirm':
      return lock === null || isName(lock) ? { type, lock } : null;
    case 'frames':
      if (!isChannel(channel) || !Array.isArray(frames) || !frames.every(isBytes)) return null;
      return { type, channel, frames };
    case 'credit':
      return isChannel(channel) && isCount(bytes) ? { type, channel, bytes } : null;
    case 'ping':
    case 'pong':
      return isCount(number) ? { type, number } : null;
    case 'bye':
      return typeof reason === 'string' ? { type, reason } : null;
    default:
      return null;
  }
}

/** Null for anything that is no message of the meeting place. */
export function parseMeetMessage(data: unknown): MeetMessage | null {
  if (!isRecord(data)) return null;
  const { type, announcement, host } = data;
  if (type === 'who') return { type };
  if (type === 'gone') return isName(host) ? { type, host } : null;
  if (type !== 'here' || !isRecord(announcement)) return null;
  const { host: who, addresses, cluster } = announcement;
  if (!isName(who) || !Array.isArray(addresses) || !addresses.every(isName)) return null;
  if (cluster === undefined) return { type, announcement: { host: who, addresses } };
  if (!isRecord(cluster)) return null;
  const { clusterId, generation, label } = cluster;
  if (!isName(clusterId) || !isCount(generation) || !isName(label)) return null;
  return {
    type,
    announcement: { host: who, addresses, cluster: { clusterId, generation, label } },
  };
}

function isRecord(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= nameLengthMax;
}

function isChannel(value: unknown): value is Channel {
  return channels.some((channel) => channel === value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isBytes(value: unknown): value is Uint8Array {
  // No `instanceof`: what a structured clone brings may belong to another realm.
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}

const nameLengthMax = 512;
