/**
 * Neighbours that behave badly, at a relay, a listening member, a dialling member and a gateway: each
 * of them lives on, the honest cluster writes on, and descriptors are back where they were (T7).
 */
import { expect, it } from 'vitest';
import { BadAnswerer, badAnswers, badCallers, callBadly } from '../src/bad-peers.ts';
import { socketsOf } from '../src/descriptors.ts';
import { demand, metric } from '../src/gateway.ts';
import { Load } from '../src/load.ts';
import { sharedWorld } from '../src/shared.ts';
import { sleep } from '../src/wait.ts';
import { freePort, idsOf, inWorld } from '../src/world.ts';
import type { MemberSeat, RelaySeat, World } from '../src/world.ts';

/** How many kinds call at once. */
const together = 8;

/** More than a busy machine may need, far below what a storm of elections would make. */
const termsMax = 10;

/** Sockets that come and go with an honest cluster: a dial, a call of these tests. */
const slack = 4;

let world: World;
let relay: RelaySeat;
let members: readonly MemberSeat[];
/** Where member `a` listens. */
let port: number;
/** Where nobody is that `a` takes for its relays: several, since a dial comes every few seconds. */
const answerers = await Promise.all(
  Array.from({ length: 8 }, async () => new BadAnswerer(await freePort())),
);

sharedWorld(async (made) => {
  world = made;
  port = await freePort();
  relay = await world.relay();
  await relay.start();
  const [a, b, c] = await Promise.all([
    // More relays that are none: `a` dials them for ever.
    world.member('a', relay, {
      flags: [
        ...['--listen', `127.0.0.1:${port}`],
        ...answerers.flatMap((answerer) => ['--relay', `ws://127.0.0.1:${answerer.port}`]),
      ],
    }),
    world.member('b', relay),
    world.member('c', relay),
  ]);
  members = [a, b, c];
  await Promise.all(members.map((member) => member.start()));
  await world.voters(members);
  await visitorsComeAndGo();
  await world.until('sockets of the start have gone', async () => {
    const before = sockets();
    await sleep(2_000);
    return JSON.stringify(before) === JSON.stringify(sockets());
  });
});

/** Where visitors listened that were killed: whoever dials them still is counted there. */
const departed: BadAnswerer[] = [];

async function visitorsComeAndGo(): Promise<void> {
  const visitors: MemberSeat[] = [];
  for (const label of ['v', 'w', 'x']) {
    const door = new BadAnswerer(await freePort());
    departed.push(door);
    const flags = ['--ephemeral', '--listen', `127.0.0.1:${door.port}`];
    visitors.push(await world.member(label, relay, { data: null, flags }));
  }
  await Promise.all(visitors.map((visitor) => visitor.start()));
  await world.until('the visitors are learners', async () => {
    const learners = idsOf((await (members as [MemberSeat])[0].status()).members, 'learner');
    return visitors.every(({ nodeId }) => learners.includes(nodeId));
  });
  await Promise.all(visitors.map((visitor) => visitor.kill()));
  const closes = badAnswers.find(({ name }) => name === 'closes at once');
  if (closes === undefined) throw new Error('there is such an answer');
  for (const door of departed) await door.become(closes);
}

function daemons(): { readonly name: string; readonly pid: number; readonly isRunning: boolean }[] {
  return [relay, ...members].map(({ daemon }) => daemon);
}

/** Everybody lives and is well, and the cluster writes through each member, soon at the latest. */
async function isWell(after: string): Promise<void> {
  for (const { name, isRunning } of daemons()) {
    expect(isRunning, `${name} lives after: ${after}`).toBe(true);
  }
  for (const { gateway, label } of members) {
    await world.until(`${label} writes after: ${after}`, async () => {
      const { value } = await demand<{ value: number }>(gateway, 'increment', { key: 'writes' });
      return value > 0;
    });
  }
}

/** Of the relay and each member. */
function sockets(): readonly (readonly string[])[] {
  return [
    socketsOf(relay.daemon.pid),
    ...members.map(({ daemon, gateway }) => socketsOf(daemon.pid, gateway)),
  ];
}

async function descriptorsReturn(
  before: readonly (readonly string[])[],
  look: () => readonly (readonly string[])[] = sockets,
): Promise<void> {
  await world.until('descriptors are back where they were', () => {
    const now = look();
    if (now.every((held, at) => held.length <= (before[at]?.length ?? 0) + slack)) return true;
    throw new Error(`sockets were ${JSON.stringify(before)} and are ${JSON.stringify(now)}`);
  });
}

for (const target of ['relay', 'member', 'gateway'] as const) {
  it(`T7 no caller of a ${target} ends it: ${badCallers.length} kinds of bad behaviour, and it serves on`, async () => {
    const [a] = members as [MemberSeat];
    const where = {
      relay: relay.port,
      member: port,
      gateway: Number(new URL(a.gateway).port),
    }[target];
    const before = sockets();
    const { term } = await a.status();
    for (let first = 0; first < badCallers.length; first += together) {
      const callers = badCallers.slice(first, first + together);
      await Promise.all(callers.map((caller) => callBadly(where, caller)));
      await isWell(callers.map(({ name }) => name).join('; '));
    }
    await descriptorsReturn(before);
    await world.voters(members);
    expect((await a.status()).term).toBeLessThan(term + termsMax);
    expect(world.oddities()).toEqual([]);
  });
}

it('T7 a caller that breaks the rules of WebSocket is counted where it called', async () => {
  const [a] = members as [MemberSeat];
  const name = 'quorate_broken_connections_total';
  const before = (await metric(a.gateway, name)) ?? 0;
  const [reserved] = badCallers.filter((caller) => caller.name.endsWith('a reserved bit'));
  if (reserved === undefined) throw new Error('there is such a caller');
  await callBadly(port, reserved, 5);
  await world.until('five more are counted', async () => {
    const now = (await metric(a.gateway, name)) ?? 0;
    if (now >= before + 5) return true;
    throw new Error(`counted ${now}, before it were ${before}`);
  });
});

it(`T7 nothing that answers a dial ends who dialled: ${badAnswers.length} kinds of bad behaviour`, async () => {
  const before = sockets();
  try {
    const left = [...badAnswers];
    await Promise.all(
      answerers.map(async (answerer) => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          await answerer.become(next);
          const dials = answerer.dials;
          await world.until(`it is dialled: ${next.name}`, () => answerer.dials > dials);
          await sleep(100);
          await isWell(next.name);
        }
      }),
    );
  } finally {
    await Promise.all(answerers.map(async (answerer) => answerer.become(null)));
  }
  await isWell('nobody answers any more');
  await descriptorsReturn(before);
  expect(world.oddities()).toEqual([]);
});

it('T7 a member that answers no dial, for as long as it takes: the dials that are given up leave nothing open', async () => {
  const [a] = members as [MemberSeat];
  const [answerer] = answerers as [BadAnswerer];
  const silent = badAnswers.find(({ name }) => name === 'accepts and stays silent');
  if (silent === undefined) throw new Error('there is such an answer');
  const before = socketsOf(a.daemon.pid, a.gateway).length;
  try {
    await answerer.become(silent);
    const dials = answerer.dials;
    await world.until('it gave up two dials', () => answerer.dials >= dials + 3);
    // The dial of this moment is one.
    await world.until('no more is open than one dial', () => {
      const now = socketsOf(a.daemon.pid, a.gateway).length;
      if (now <= before + 1) return true;
      throw new Error(`${now} sockets, before there were ${before}`);
    });
  } finally {
    await answerer.become(null);
  }
});

it('T10 visitors that were killed are no members after a while, and nobody dials them', async () => {
  const [a] = members as [MemberSeat];
  const dials = (): number[] => departed.map((door) => door.dials);
  try {
    // They were killed before the other tests of this file began.
    for (const count of dials()) expect(count).toBeGreaterThan(0);
    await world.until('they are no members', async () => {
      return (await a.status()).members.length === members.length;
    });
    await world.until('nobody has dialled them for as long as the longest pause', async () => {
      const before = dials();
      await sleep(10_000);
      if (String(before) === String(dials())) return true;
      throw new Error(`dials were ${String(before)} and are ${String(dials())}`);
    });
  } finally {
    for (const door of departed) await door.become(null);
  }
});

it('T7 a member hangs for 20 s and dies: the two others go on, and hold no descriptor more for it', () =>
  inWorld(async (own) => {
    const { members: three } = await own.cluster(3);
    const leader = await own.leader(three);
    const rest = three.filter((member) => member !== leader);
    const held = (): string[][] =>
      rest.map(({ daemon, gateway }) => socketsOf(daemon.pid, gateway));
    const before = held();
    const load = new Load(rest.map(({ gateway }) => gateway));
    leader.daemon.signal('SIGSTOP');
    await sleep(20_000);
    const { acked } = load;
    await own.until(`they write while it hangs (${load.tally})`, () => load.acked >= acked + 20);
    await leader.kill();
    await sleep(5_000);
    const after = load.acked;
    await own.until(`they write once it is dead (${load.tally})`, () => load.acked >= after + 20);
    await load.stop();
    for (const { daemon } of rest) expect(daemon.isRunning).toBe(true);
    await descriptorsReturn(before, held);
    await leader.start();
    await own.voters(three);
  }));
