/** The commands of a transcript: what each takes and does. */
import {
  describeEntry,
  describeMembership,
  describeMessage,
  describeStatus,
} from '../src/index.ts';
import type { Message } from '../src/index.ts';
import { bytes, id, noBytes } from './network.ts';
import { ScriptError } from './transcript-args.ts';
import type { Args } from './transcript-args.ts';
import { forge } from './transcript-forge.ts';
import { addCluster, addNode, takeConfig } from './transcript-nodes.ts';
import { nodeIds, short } from './transcript-world.ts';
import type { World } from './transcript-world.ts';

export type Command = {
  readonly usage: string;
  readonly run: (world: World, args: Args) => void;
};

// Inputs of a machine ------------------------------------------------------------------------------

function propose(world: World, args: Args): void {
  const number = args.node();
  const data = args.has('bytes') ? blanks(args) : args.words().map(bytes);
  const result = world.raft(number).propose(data);
  if (!result.ok) return refused(world, number, result);
  const { term, firstIndex } = result;
  const more = data.length > 1 ? `..${firstIndex + data.length - 1}` : '';
  world.say(`${number} accepts ${term}/${firstIndex}${more}`);
}

function blanks(args: Args): Uint8Array[] {
  const size = args.number('bytes');
  return Array.from({ length: args.number('count', 1) }, () => new Uint8Array(size));
}

function change(world: World, args: Args): void {
  const number = args.node();
  const raft = world.raft(number);
  const result = raft.proposeChange({
    membership: {
      voters: nodeIds(args.numbers('voters')),
      learners: nodeIds(args.numbers('learners')),
    },
    expectedIndex: args.number('seen', raft.status().membershipIndex),
    context: noBytes,
  });
  if (!result.ok) return refused(world, number, result);
  world.say(
    `${number} accepts ${result.term}/${result.index}:${describeMembership(raft.status().membership)}`,
  );
}

function refused(
  world: World,
  number: number,
  result: { readonly reason: string; readonly leader: string | null },
): void {
  const leader = result.leader === null ? 'nobody leads' : `${short(result.leader)} leads`;
  world.say(`${number} refuses: ${result.reason}, ${leader}`);
}

function transfer(world: World, args: Args): void {
  const number = args.node();
  const begun = world.raft(number).transferLeadership(id(args.node('target')));
  world.say(`${number} ${begun ? 'begins a transfer' : 'refuses a transfer'}`);
}

function tick(world: World, args: Args): void {
  const count = args.count('count');
  const numbers = nodesOrAll(world, args);
  for (let i = 0; i < count; i++) {
    for (const number of numbers) world.member(number).raft?.tick();
  }
}

function report(world: World, args: Args): void {
  const raft = world.raft(args.node());
  const peer = id(args.node('peer'));
  const what = args.oneOf('received', 'failed');
  if (what === null) throw new ScriptError('Neither received nor failed');
  raft.reportSnapshot(peer, what === 'received');
}

function compact(world: World, args: Args): void {
  const number = args.node();
  const trailing = args.number('keep', 0);
  world.raft(number);
  const { term, index, membership, membershipIndex } = world.member(number).compact(trailing);
  const members = `${describeMembership(membership)}@${membershipIndex}`;
  const { firstIndex } = world.raft(number).status();
  world.say(`${number} snapshot ${term}/${index} members ${members}, log from ${firstIndex}`);
}

// Drivers and their disks ------------------------------------------------------------------------------

function work(world: World, args: Args): void {
  const before = world.lineCount;
  const numbers = nodesOrAll(world, args);
  const worked = numbers.filter((number) => world.work(number, 'shown')).length > 0;
  if (!worked || world.lineCount === before) world.say('nothing');
}

function hold(world: World, args: Args): void {
  const number = args.node();
  const what = args.oneOf('disk', 'apply');
  if (what === null) throw new ScriptError('Neither disk nor apply');
  const member = world.member(number);
  if (what === 'disk') member.diskHeld = true;
  else member.applyHeld = true;
}

function release(world: World, args: Args): void {
  const number = args.node();
  const what = args.oneOf('disk', 'apply');
  if (what === null) throw new ScriptError('Neither disk nor apply');
  const member = world.member(number);
  if (what === 'disk') {
    member.diskHeld = false;
    sayDurable(world, number, member.sync());
  } else {
    member.applyHeld = false;
    sayApplied(world, number, member.apply());
  }
}

function sync(world: World, args: Args): void {
  const number = args.node();
  const member = world.member(number);
  sayDurable(world, number, args.more ? member.sync(args.count('count')) : member.sync());
}

function apply(world: World, args: Args): void {
  const number = args.node();
  const member = world.member(number);
  sayApplied(world, number, args.more ? member.apply(args.count('count')) : member.apply());
}

function sayDurable(world: World, number: number, writes: readonly string[]): void {
  if (writes.length === 0) throw new ScriptError(`Node ${number} has nothing to write`);
  world.say(`${number} durable: ${writes.join(', ')}`, 'detail');
}

function sayApplied(world: World, number: number, index: number | null): void {
  if (index === null) throw new ScriptError(`Node ${number} has nothing to apply`);
  world.say(`${number} applied up to ${index}`, 'detail');
}

function stop(world: World, args: Args): void {
  const number = args.node();
  world.raft(number);
  const lost = world.member(number).stop();
  if (lost.length > 0) world.say(`${number} loses ${lost.join(', ')}`);
}

function start(world: World, args: Args): void {
  const number = args.node();
  const member = world.member(number);
  if (member.raft !== null) throw new ScriptError(`Node ${number} runs already`);
  member.start(takeConfig(args));
}

// The wire -----------------------------------------------------------------------------------------------

function settle(world: World): void {
  const before = world.lineCount;
  world.settle();
  if (world.lineCount === before) world.say('nothing');
}

function pass(world: World, args: Args): void {
  const count = args.count('count');
  const numbers = nodesOrAll(world, args);
  const before = world.lineCount;
  for (let i = 1; i <= count; i++) {
    for (const number of numbers) world.member(number).raft?.tick();
    const earlier = world.takeLines();
    world.settle();
    const news = world.takeLines();
    if (news.length > 0 && count > 1) news.unshift(`-- tick ${i}`);
    const { quiet } = world;
    world.quiet = false;
    for (const line of [...earlier, ...news]) world.say(line);
    world.quiet = quiet;
  }
  if (world.lineCount === before) world.say('nothing');
}

function deliver(world: World, args: Args): void {
  for (const message of take(world, args)) world.deliver(message);
}

function repeat(world: World, args: Args): void {
  const { wire } = world;
  for (const message of take(world, args)) world.deliver(message);
  world.wire = wire;
}

function drop(world: World, args: Args): void {
  for (const message of take(world, args)) world.say(`drop ${describeMessage(message)}`, 'detail');
}

function showWire(world: World): void {
  if (world.wire.length === 0) world.say('empty');
  for (const message of world.wire) world.say(describeMessage(message));
}

/** Takes from the wire what `[first|last] [A->B] [Type]` names: all of it, or one. */
function take(world: World, args: Args): Message[] {
  const one = args.oneOf('first', 'last');
  const [, from = '*', to = '*'] = args.match(/^([1-9*])->([1-9*])$/) ?? [];
  const type = args.more ? args.word('type') : null;
  let found = world.wire.filter(
    (message) =>
      (from === '*' || short(message.from) === from) &&
      (to === '*' || short(message.to) === to) &&
      (type === null || message.type === type),
  );
  if (found.length === 0) throw new ScriptError('Nothing like it is on the wire');
  if (one === 'first') found = found.slice(0, 1);
  if (one === 'last') found = found.slice(-1);
  world.wire = world.wire.filter((message) => !found.includes(message));
  return found;
}

function cut(world: World, args: Args): void {
  do {
    const match = args.match(/^([1-9])(->|-)([1-9*])$/);
    if (match === null) throw new ScriptError('No way such as 1-2, 1->2 or 1-*');
    const [, from = '', arrow, to = ''] = match;
    const others = [...world.members.keys()].map(String).filter((each) => each !== from);
    for (const other of to === '*' ? others : [to]) {
      world.cuts.add(`${from}->${other}`);
      if (arrow === '-') world.cuts.add(`${other}->${from}`);
    }
  } while (args.more);
}

function stream(world: World, args: Args): void {
  const number = args.node();
  const { nodeId: from, term, snapshot: meta } = world.raft(number).status();
  if (meta === null) throw new ScriptError(`Node ${number} has no snapshot`);
  world.wire.push({ type: 'InstallSnapshot', from, to: id(args.node('peer')), term, meta });
}

// Looking ---------------------------------------------------------------------------------------------

function status(world: World, args: Args): void {
  for (const number of nodesOrAll(world, args)) {
    const { raft } = world.member(number);
    const lines = raft === null ? [`${number} stopped`] : describeStatus(raft.status()).split('\n');
    for (const line of lines) world.say(line);
  }
}

function disk(world: World, args: Args): void {
  for (const number of nodesOrAll(world, args)) {
    const { hardState, snapshot, entries } = world.member(number).disk;
    const votedFor = hardState.votedFor === null ? 'none' : short(hardState.votedFor);
    const words = [`${number} disk: term ${hardState.currentTerm} voted ${votedFor}`];
    if (snapshot !== null) words.push(`snapshot ${snapshot.term}/${snapshot.index}`);
    words.push(...entries.map(describeEntry));
    world.say(words.join(' '));
  }
}

/** Without a term the neighbour leads nothing. */
function neighbour(world: World, args: Args): void {
  const raft = world.raft(args.node());
  const peer = id(args.node('peer'));
  raft.neighbour(peer, args.has('leads') ? args.number('leads') : null);
}

function lease(world: World, args: Args): void {
  const number = args.node();
  const held = world.raft(number).lease();
  if (held === null) world.say(`${number} has no lease`);
  else world.say(`${number} has a lease since round ${held.round}, to read at ${held.readIndex}`);
}

function nodesOrAll(world: World, args: Args): number[] {
  const numbers = args.nodes();
  for (const number of numbers) world.member(number);
  return numbers.length > 0 ? numbers : [...world.members.keys()];
}

export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['cluster', { usage: 'NODE… [learners=4,5] [Config…]', run: addCluster }],
  [
    'node',
    {
      usage: 'NODE [voters=1,2] [learners=3] [log=1,1,2] [term=2] [vote=3] [commit=1] [Config…]',
      run: addNode,
    },
  ],
  ['campaign', { usage: 'NODE', run: (world, args) => world.raft(args.node()).campaign() }],
  [
    'leader-lost',
    {
      usage: 'NODE LEADER',
      run: (world, args) => world.raft(args.node()).leaderLost(id(args.node('leader'))),
    },
  ],
  ['neighbour', { usage: 'NODE PEER [leads=TERM]', run: neighbour }],
  [
    'neighbour-gone',
    {
      usage: 'NODE PEER',
      run: (world, args) => world.raft(args.node()).neighbourGone(id(args.node('peer'))),
    },
  ],
  [
    'priority',
    {
      usage: 'NODE 0|1|2',
      run: (world, args) => world.raft(args.node()).setPriority(args.count('priority')),
    },
  ],
  ['end-silence', { usage: 'NODE', run: (world, args) => world.raft(args.node()).endSilence() }],
  ['tick', { usage: 'COUNT [NODE…]', run: tick }],
  ['pass', { usage: 'COUNT [NODE…]', run: pass }],
  ['propose', { usage: 'NODE WORD… | NODE bytes=SIZE [count=1]', run: propose }],
  ['change', { usage: 'NODE voters=1,2 [learners=3] [seen=INDEX]', run: change }],
  [
    'read',
    {
      usage: 'NODE REQUEST',
      run: (world, args) => world.raft(args.node()).readIndex(args.count('request')),
    },
  ],
  ['transfer', { usage: 'NODE TARGET', run: transfer }],
  [
    'unreachable',
    {
      usage: 'NODE PEER',
      run: (world, args) => world.raft(args.node()).reportUnreachable(id(args.node('peer'))),
    },
  ],
  [
    'new-run',
    {
      usage: 'NODE PEER',
      run: (world, args) => world.raft(args.node()).resetProgress(id(args.node('peer'))),
    },
  ],
  ['report', { usage: 'NODE PEER received|failed', run: report }],
  ['compact', { usage: 'NODE [keep=ENTRIES]', run: compact }],
  ['forge', { usage: 'Type A->B term=TERM [field=…]', run: forge }],
  ['work', { usage: '[NODE…]', run: work }],
  ['settle', { usage: '', run: settle }],
  ['deliver', { usage: '[first|last] [A->B] [Type]', run: deliver }],
  ['repeat', { usage: '[first|last] [A->B] [Type]', run: repeat }],
  ['drop', { usage: '[first|last] [A->B] [Type]', run: drop }],
  ['wire', { usage: '', run: showWire }],
  ['cut', { usage: 'A-B | A->B | A-* …', run: cut }],
  ['heal', { usage: '', run: (world) => world.cuts.clear() }],
  ['stream', { usage: 'NODE PEER', run: stream }],
  ['hold', { usage: 'NODE disk|apply', run: hold }],
  ['release', { usage: 'NODE disk|apply', run: release }],
  ['sync', { usage: 'NODE [COUNT]', run: sync }],
  ['apply', { usage: 'NODE [COUNT]', run: apply }],
  ['stop', { usage: 'NODE', run: stop }],
  ['start', { usage: 'NODE [Config…]', run: start }],
  ['status', { usage: '[NODE…]', run: status }],
  ['lease', { usage: 'NODE', run: lease }],
  ['disk', { usage: '[NODE…]', run: disk }],
]);
