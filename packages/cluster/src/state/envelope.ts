/**
 * The bytes of a `normal` entry: replicated time, stamped by the leader that proposed it, then one
 * of a closed set of bodies. Members write bodies, leaders put the time in front, so a forwarded
 * body is never decoded on its way. An unknown kind stops the replica (Z21).
 */
import { ByteReader, ByteWriter, concatBytes, QuorateError } from '@quorate/contracts';

/** A command for the state machine, once per session and sequence number (Z25–Z28). */
export type CommandBody = {
  readonly type: 'command';
  readonly session: number;
  readonly seq: number;
  /** Every result below this number has reached the client and may be forgotten (Z26). */
  readonly firstUnacked: number;
  readonly command: Uint8Array;
};

/** Settles a doubt: if `seq` was not applied yet, it never will be (Z28). */
export type ResolveBody = {
  readonly type: 'resolve';
  readonly session: number;
  readonly seq: number;
  readonly firstUnacked: number;
};

/** Opens a session; its id is the index of this entry (Z25). */
export type OpenSessionBody = { readonly type: 'openSession'; readonly nonce: string };

/** Z27: which sessions were seen lately, and which expire. */
export type SessionsBody = {
  readonly type: 'sessions';
  readonly seen: readonly number[];
  readonly expired: readonly number[];
};

/** The register names this cluster active (Z10): acknowledgements to users may begin. */
export type ActivatedBody = { readonly type: 'activated' };

/** So many durable replicas as the policy expects held all that was committed (Z14). Level 2. */
export type FormedBody = { readonly type: 'formed' };

/** Another group of relays decides from here on than the genesis names (Z58). */
export type RegisterMovedBody = { readonly type: 'registerMoved'; readonly group: string };

export type EntryBody =
  | CommandBody
  | ResolveBody
  | OpenSessionBody
  | SessionsBody
  | ActivatedBody
  | FormedBody
  | RegisterMovedBody;

const kinds = {
  command: 1,
  resolve: 2,
  openSession: 3,
  sessions: 4,
  activated: 5,
  formed: 6,
  registerMoved: 7,
} as const;

export function encodeBody(body: EntryBody): Uint8Array {
  const writer = new ByteWriter(body.type === 'command' ? body.command.length + 24 : 32);
  writer.u8(kinds[body.type]);
  switch (body.type) {
    case 'command':
      // The zero stands for `actor`, kept so that permissions need no new format.
      return writer
        .varint(body.session)
        .varint(body.seq)
        .varint(body.firstUnacked)
        .u8(0)
        .raw(body.command)
        .finish();
    case 'resolve':
      return writer.varint(body.session).varint(body.seq).varint(body.firstUnacked).finish();
    case 'openSession':
      return writer.hex(body.nonce).finish();
    case 'sessions':
      writer.varint(body.seen.length);
      for (const id of body.seen) writer.varint(id);
      writer.varint(body.expired.length);
      for (const id of body.expired) writer.varint(id);
      return writer.finish();
    case 'activated':
    case 'formed':
      return writer.finish();
    case 'registerMoved':
      return writer.block(new TextEncoder().encode(body.group)).finish();
  }
}

/** What a leader proposes for `body` at replicated time `time`. */
export function stamp(time: number, body: Uint8Array): Uint8Array {
  return concatBytes([new ByteWriter(8).varint(time).finish(), body]);
}

/** The replicated time of a `normal` entry. */
export function timeOf(data: Uint8Array): number {
  return new ByteReader(data).varint();
}

export function decodeEntry(data: Uint8Array): { readonly time: number; readonly body: EntryBody } {
  const reader = new ByteReader(data);
  const time = reader.varint();
  try {
    return { time, body: readBody(reader) };
  } catch (cause) {
    // Z21: it is committed, so others understand it; whoever does not must not go on.
    throw new QuorateError('OUTDATED', 'Cannot apply an entry that this release does not know', {
      cause,
    });
  }
}

/** Checks that a body forwarded by another member is one, before a leader puts it into its log. */
export function decodeBody(bytes: Uint8Array): EntryBody {
  return readBody(new ByteReader(bytes));
}

function readBody(reader: ByteReader): EntryBody {
  const kind = reader.u8();
  switch (kind) {
    case kinds.command: {
      const session = reader.varint();
      const seq = reader.varint();
      const firstUnacked = reader.varint();
      if (reader.u8() !== 0) throw unknown('actor');
      return { type: 'command', session, seq, firstUnacked, command: reader.rest() };
    }
    case kinds.resolve: {
      const session = reader.varint();
      const seq = reader.varint();
      const firstUnacked = reader.varint();
      reader.end();
      return { type: 'resolve', session, seq, firstUnacked };
    }
    case kinds.openSession: {
      const nonce = reader.hex(8);
      reader.end();
      return { type: 'openSession', nonce };
    }
    case kinds.sessions: {
      const seen = readIds(reader);
      const expired = readIds(reader);
      reader.end();
      return { type: 'sessions', seen, expired };
    }
    case kinds.activated:
      reader.end();
      return { type: 'activated' };
    case kinds.formed:
      reader.end();
      return { type: 'formed' };
    case kinds.registerMoved: {
      const group = new TextDecoder().decode(reader.block());
      reader.end();
      if (group === '' || group.length > groupLengthMax) throw unknown('group');
      return { type: 'registerMoved', group };
    }
    default:
      throw unknown(`kind ${kind}`);
  }
}

function readIds(reader: ByteReader): number[] {
  const count = reader.varint();
  if (count > reader.remaining) throw unknown(`list of ${count} sessions`);
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push(reader.varint());
  return ids;
}

function unknown(what: string): QuorateError {
  return new QuorateError('BAD_REQUEST', `Cannot read an entry: unknown ${what}`);
}

const groupLengthMax = 64;
