/**
 * What a host and a relay say to each other on `/quorate/relay/1`: canonical CBOR maps in frames.
 * The relay greets; the host sends requests with ids; the relay answers each, and tells watchers of
 * announcements. Both sides check every field of what they read; unknown fields are skipped.
 */
import { rfc8949EncodeOptions, encode } from 'cborg';
import { isErrorCode } from '@quorate/contracts';
import type { ErrorCode } from '@quorate/contracts';
import { certificateBytesMax } from './certificate.ts';
import { Fields, MessageError, readMap } from './fields.ts';

export const relayProtocol = '/quorate/relay/1';

/** Longest request. */
export const requestBytesMax: number = 64 * 1024;
/** Longest answer: a list of hosts. */
export const answerBytesMax: number = 2 * 1024 * 1024;
/** A claim takes some 300. */
export const recordBytesMax: number = 1024;
export const announceBytesMax: number = 4 * 1024;

/**
 * `group` is null for a relay that holds no register; `certificate` proves it (certificate.ts). Said again
 * when something of it changed.
 */
export type Greeting = {
  readonly type: 'greeting';
  readonly group: string | null;
  readonly registerLost: boolean;
  readonly certificate: Uint8Array | null;
};

export type Request =
  | { readonly type: 'ping'; readonly id: number }
  | {
      readonly type: 'read';
      readonly id: number;
      readonly topic: string;
      readonly nameTag: string;
      /** Although the name is in use under another secret. */
      readonly beside: boolean;
      /** A member asks, to write its cluster into a register that may have forgotten it. */
      readonly writesBack: boolean;
    }
  | {
      readonly type: 'set';
      readonly id: number;
      readonly topic: string;
      readonly nameTag: string;
      readonly expectedVersion: number;
      readonly record: Uint8Array;
      /** Its cluster acknowledges from now on. */
      readonly active: boolean;
      readonly beside: boolean;
    }
  | {
      readonly type: 'announce';
      readonly id: number;
      readonly topic: string;
      readonly version: number;
      readonly record: Uint8Array;
      /** The newest certificate of the relay's group that the host has seen. */
      readonly receipt: Uint8Array | null;
    }
  | {
      readonly type: 'withdraw' | 'list' | 'watch' | 'unwatch';
      readonly id: number;
      readonly topic: string;
    };

export type StoredRecord = {
  readonly version: number;
  readonly record: Uint8Array;
  readonly refusedCount: number;
};

export type StoredAnnouncement = {
  readonly host: string;
  readonly version: number;
  readonly record: Uint8Array;
};

/** By the group, up to what the register has come to; null where the host was told that one already. */
export type NewCertificate = Uint8Array | null;

export type Answer =
  | { readonly type: 'done'; readonly id: number }
  | {
      readonly type: 'value';
      readonly id: number;
      readonly current: StoredRecord | null;
      /** The present version where `current` is null. */
      readonly floor: number;
      readonly certificate: NewCertificate;
    }
  | {
      readonly type: 'set';
      readonly id: number;
      readonly ok: boolean;
      readonly current: StoredRecord | null;
      readonly floor: number;
      readonly certificate: NewCertificate;
    }
  | { readonly type: 'hosts'; readonly id: number; readonly hosts: readonly StoredAnnouncement[] }
  | {
      readonly type: 'error';
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
    };

export type Told = {
  readonly type: 'announced';
  readonly topic: string;
  readonly host: StoredAnnouncement;
};

export type RelayMessage = Greeting | Answer | Told;

export function encodeMessage(message: Request | RelayMessage): Uint8Array {
  return encode(message, rfc8949EncodeOptions);
}

/** Throws MessageError. */
export function decodeRequest(bytes: Uint8Array): Request {
  const map = readMap(bytes);
  const id = map.count('id');
  const type = map.text('type', 16);
  switch (type) {
    case 'ping':
      return { type, id };
    case 'read':
      return {
        type,
        id,
        topic: map.topic(),
        nameTag: map.nameTag(),
        beside: map.truth('beside'),
        writesBack: map.truth('writesBack'),
      };
    case 'set':
      return {
        type,
        id,
        topic: map.topic(),
        nameTag: map.nameTag(),
        expectedVersion: map.count('expectedVersion'),
        record: map.bytes('record', recordBytesMax),
        active: map.truth('active'),
        beside: map.truth('beside'),
      };
    case 'announce':
      return {
        type,
        id,
        topic: map.topic(),
        version: map.count('version'),
        record: map.bytes('record', announceBytesMax),
        receipt: certificateIn(map, 'receipt'),
      };
    case 'withdraw':
    case 'list':
    case 'watch':
    case 'unwatch':
      return { type, id, topic: map.topic() };
    default:
      throw new MessageError(`Cannot read a request of type '${type}'`);
  }
}

/** Throws MessageError. */
export function decodeRelayMessage(bytes: Uint8Array): RelayMessage {
  const map = readMap(bytes);
  const type = map.text('type', 16);
  switch (type) {
    case 'greeting': {
      const group = map.raw('group') === null ? null : map.text('group', 64);
      const certificate = certificateIn(map, 'certificate');
      return { type, group, registerLost: map.truth('registerLost'), certificate };
    }
    case 'done':
      return { type, id: map.count('id') };
    case 'value':
      return {
        ...{ type, id: map.count('id'), current: storedRecord(map), floor: map.count('floor') },
        certificate: certificateIn(map, 'certificate'),
      };
    case 'set':
      return {
        type,
        id: map.count('id'),
        ok: map.truth('ok'),
        current: storedRecord(map),
        floor: map.count('floor'),
        certificate: certificateIn(map, 'certificate'),
      };
    case 'hosts': {
      const hosts = map.raw('hosts');
      if (!Array.isArray(hosts)) throw new MessageError("Cannot read 'hosts', wanted an array");
      return { type, id: map.count('id'), hosts: hosts.map(storedAnnouncement) };
    }
    case 'error': {
      const code = map.text('code', 64);
      return {
        type,
        id: map.count('id'),
        // A code of a later release is still a refusal.
        code: isErrorCode(code) ? code : 'BAD_REQUEST',
        message: map.text('message', 500),
      };
    }
    case 'announced':
      return { type, topic: map.topic(), host: storedAnnouncement(map.raw('host')) };
    default:
      throw new MessageError(`Cannot read a message of type '${type}'`);
  }
}

function certificateIn(map: Fields, name: string): Uint8Array | null {
  return map.raw(name) === null ? null : map.bytes(name, certificateBytesMax);
}

function storedRecord(map: Fields): StoredRecord | null {
  const raw = map.raw('current');
  if (raw === null) return null;
  const fields = new Fields(raw);
  return {
    version: fields.count('version'),
    record: fields.bytes('record', recordBytesMax),
    refusedCount: fields.count('refusedCount'),
  };
}

function storedAnnouncement(raw: unknown): StoredAnnouncement {
  const fields = new Fields(raw);
  return {
    host: fields.text('host', 128),
    version: fields.count('version'),
    record: fields.bytes('record', announceBytesMax),
  };
}
