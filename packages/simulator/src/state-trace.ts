/**
 * What replicas do, as plain data: one event a line when written as JSON lines, for a specification
 * outside of this repository to judge, or for a person to read. `docs/TESTING.md` lists the fields.
 */
import { describeMembership, describeMessage } from '@quorate/core';
import type { EntryId, Membership, Message, NodeId } from '@quorate/core';

export type StateEvent =
  | {
      readonly event: 'start';
      readonly term: number;
      readonly log: EntryId;
      readonly commit: number;
    }
  | { readonly event: 'crash' }
  | {
      readonly event:
        'become-follower' | 'become-pre-candidate' | 'become-candidate' | 'become-leader';
      readonly term: number;
    }
  /** Term and vote, as handed to the disk. */
  | { readonly event: 'vote'; readonly term: number; readonly votedFor: NodeId | null }
  | { readonly event: 'append'; readonly entries: readonly TraceEntry[] }
  /** Everything handed over so far up to `log` is on the disk. */
  | { readonly event: 'persist'; readonly term: number; readonly log: EntryId }
  | { readonly event: 'commit'; readonly index: number }
  | { readonly event: 'apply'; readonly index: number }
  /** The newest membership in the log; in force at once. */
  | { readonly event: 'change'; readonly index: number; readonly membership: Membership }
  | { readonly event: 'snapshot'; readonly at: EntryId; readonly installed: boolean }
  | { readonly event: 'send' | 'receive'; readonly message: Message };

export type TraceEntry = EntryId & { readonly type: string };

/** Told of each event of each replica. */
export type StateObserver = (node: NodeId, event: StateEvent) => void;

/** One event as a line of JSON: virtual milliseconds, replica, what happened. Without commands. */
export function traceLine(atMs: number, node: NodeId, event: StateEvent): string {
  const at = { atMs: Math.round(atMs * 1_000) / 1_000, node };
  if (!('message' in event) || event.message.type !== 'AppendEntries') {
    return JSON.stringify({ ...at, ...event });
  }
  const entries = event.message.entries.map(traceEntry);
  return JSON.stringify({ ...at, ...event, message: { ...event.message, entries } });
}

export function traceEntry({ term, index, type }: TraceEntry): TraceEntry {
  return { term, index, type };
}

/** One event for a person: what happened, then its numbers. */
export function describeEvent(event: StateEvent): string {
  switch (event.event) {
    case 'start':
      return `start term ${event.term} log ${idText(event.log)} commit ${event.commit}`;
    case 'crash':
      return 'crash';
    case 'become-follower':
    case 'become-pre-candidate':
    case 'become-candidate':
    case 'become-leader':
      return `${event.event} term ${event.term}`;
    case 'vote':
      return `vote term ${event.term} for ${event.votedFor?.slice(0, 6) ?? 'nobody'}`;
    case 'append':
      return `append ${event.entries.map((one) => `${idText(one)}${mark(one.type)}`).join(' ')}`;
    case 'persist':
      return `persist term ${event.term} log ${idText(event.log)}`;
    case 'commit':
    case 'apply':
      return `${event.event} ${event.index}`;
    case 'change':
      return `change ${event.index} ${describeMembership(event.membership)}`;
    case 'snapshot':
      return `snapshot ${idText(event.at)}${event.installed ? ' installed' : ''}`;
    case 'send':
    case 'receive':
      return `${event.event} ${describeMessage(event.message)}`;
  }
}

/** `term/index`, as everywhere. */
function idText({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

function mark(type: string): string {
  return type === 'normal' ? '' : `(${type})`;
}
