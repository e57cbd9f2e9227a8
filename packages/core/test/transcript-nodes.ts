/** How the nodes of a transcript begin. */
import { membersOf, plainMembership } from '../src/index.ts';
import type { Config } from '../src/index.ts';
import { disk, entry, id, membershipEntry } from './network.ts';
import { ScriptError } from './transcript-args.ts';
import type { Args } from './transcript-args.ts';
import { nodeIds } from './transcript-world.ts';
import type { World } from './transcript-world.ts';

/** Voters and learners that share a committed first entry, which names them and is applied. */
export function addCluster(world: World, args: Args): void {
  const voters = args.nodes();
  if (voters.length === 0) throw new ScriptError('No node');
  const learners = args.numbers('learners');
  const membership = plainMembership({ voters: nodeIds(voters), learners: nodeIds(learners) });
  const over = takeConfig(args);
  for (const number of [...voters, ...learners]) {
    const from = disk([membershipEntry(1, 1, membership)], { commitIndex: 1 });
    world.add(number, config(number, over), from);
  }
  if (voters.length === 1) return;
  // Everybody applies the first entry before the script begins. (A single voter stands at once.)
  for (const number of world.members.keys()) world.work(number, 'hidden');
  world.takeLines();
}

/**
 * One node with what `log` says on its disk: the terms of its entries, the first of which names
 * `voters` and `learners`; nothing at all without them.
 */
export function addNode(world: World, args: Args): void {
  const number = args.node();
  const membership = plainMembership({
    voters: nodeIds(args.numbers('voters')),
    learners: nodeIds(args.numbers('learners')),
  });
  const terms = args.numbers('log');
  if (terms.length > 0 !== membersOf(membership).length > 0) {
    throw new ScriptError('voters= and log= belong together');
  }
  const entries = terms.map((term, i) =>
    i === 0 ? membershipEntry(term, 1, membership) : entry(term, i + 1, 'x'),
  );
  const vote = args.has('vote') ? nodeIds([args.number('vote')]) : [];
  const from = disk(entries, {
    currentTerm: args.number('term', terms.at(-1) ?? 0),
    votedFor: vote[0] ?? null,
    commitIndex: args.number('commit', 0),
  });
  world.add(number, config(number, takeConfig(args)), from);
}

// Heartbeats each tick and elections after 10 to 20 keep transcripts short; the seed is the node.
function config(number: number, over: Partial<Config>): Config {
  return {
    nodeId: id(number),
    seed: number,
    heartbeatTicks: 1,
    electionTimeoutTicksMin: 10,
    electionTimeoutTicksMax: 20,
    ...over,
  };
}

/** The options that are fields of `Config`. */
export function takeConfig(args: Args): Partial<Config> {
  const numbers = configNumbers.filter((name) => args.has(name));
  const flags = configFlags.filter((name) => args.has(name));
  return {
    ...Object.fromEntries(numbers.map((name) => [name, args.number(name)])),
    ...Object.fromEntries(flags.map((name) => [name, args.yes(name)])),
  };
}

const configFlags = ['leaseReads'] as const satisfies readonly (keyof Config)[];

const configNumbers = [
  'seed',
  'heartbeatTicks',
  'electionTimeoutTicksMin',
  'electionTimeoutTicksMax',
  'appendBytesMax',
  'inflightCountMax',
  'inflightBytesMax',
  'uncommittedBytesMax',
  'applyBytesMax',
  'silentTicks',
  'priority',
] as const satisfies readonly (keyof Config)[];
