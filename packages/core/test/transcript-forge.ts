/** Messages that nobody in the script sent: what a broken or an old peer might say. */
import { plainMembership } from '../src/index.ts';
import type { Entry, Message } from '../src/index.ts';
import { entry, id } from './network.ts';
import { ScriptError } from './transcript-args.ts';
import type { Args } from './transcript-args.ts';
import { nodeIds } from './transcript-world.ts';
import type { World } from './transcript-world.ts';

/** Delivers `Type A->B term=…` at once, with the fields of its type. */
export function forge(world: World, args: Args): void {
  const type = args.word('type');
  const [, from, to] = args.match(/^([1-9])->([1-9])$/) ?? [];
  if (from === undefined || to === undefined) throw new ScriptError('No way such as 1->2');
  const head = { from: id(Number(from)), to: id(Number(to)), term: args.number('term') };
  world.forge(messageOf(type, head, args));
}

function messageOf(type: string, head: Head, args: Args): Message {
  switch (type) {
    case 'PreVote':
      return { type, ...head, lastEntry: args.entryId('last') };
    case 'RequestVote':
      return { type, ...head, lastEntry: args.entryId('last'), transfer: args.yes('transfer') };
    case 'PreVoteResponse': {
      const [votedFor = null] = nodeIds(args.has('voted') ? [args.number('voted')] : []);
      return { type, ...head, granted: args.yes('granted'), votedFor };
    }
    case 'RequestVoteResponse':
      return { type, ...head, granted: args.yes('granted') };
    case 'AppendEntries': {
      const prevEntry = args.entryId('prev');
      const entries = entriesAfter(prevEntry.index, args.numbers('log'));
      return { type, ...head, prevEntry, leaderCommit: args.number('commit', 0), entries };
    }
    case 'AppendEntriesResponse': {
      if (!args.has('rejected')) {
        return { type, ...head, matchIndex: args.number('match'), rejected: null };
      }
      const rejected = { index: args.number('rejected'), hint: args.entryId('hint') };
      return { type, ...head, matchIndex: 0, rejected };
    }
    case 'Heartbeat': {
      const leaderCommit = args.number('commit', 0);
      return { type, ...head, leaderCommit, readRound: args.number('round', 0) };
    }
    case 'HeartbeatResponse':
      return { type, ...head, readRound: args.number('round', 0) };
    case 'ReadIndex':
      return { type, ...head, requestId: args.number('request') };
    case 'ReadIndexResponse':
      return { type, ...head, requestId: args.number('request'), index: args.number('index') };
    case 'InstallSnapshot': {
      const { term, index } = args.entryId('snapshot');
      const membership = plainMembership({ voters: nodeIds(args.numbers('voters')), learners: [] });
      return { type, ...head, meta: { term, index, membership, membershipIndex: 1 } };
    }
    case 'TimeoutNow':
      return { type, ...head };
    default:
      throw new ScriptError(`Cannot forge ${type}`);
  }
}

function entriesAfter(index: number, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => entry(term, index + 1 + i, 'x'));
}

type Head = Pick<Message, 'from' | 'to' | 'term'>;
