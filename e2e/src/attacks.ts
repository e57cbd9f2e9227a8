/**
 * `npm run soak -- attacks`: strangers do their worst to a relay and to a listening member, real processes,
 * one attack after the other, and beside each of them two honest members form a cluster and write. What
 * must hold is counted and asserted; how long forming took is only told.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { badCallers, callBadly, upgradeRequest } from './bad-peers.ts';
import { demand } from './gateway.ts';
import { until } from './wait.ts';
import { freePort, inWorld } from './world.ts';
import type { MemberSeat, RelaySeat, World } from './world.ts';

type Told = { readonly had: number; readonly refusals: Readonly<Record<string, number>> };

type Scene = {
  readonly world: World;
  readonly relay: RelaySeat;
  /** A member that strangers can reach, and its port. */
  readonly member: MemberSeat;
  readonly doors: readonly number[];
  /** A stranger who speaks the relay's protocol. */
  ask(order: Readonly<Record<string, unknown>>): Promise<Told>;
};

type Attack = {
  readonly name: string;
  /** Begins it; what it resolves with ends it, and says what was counted. */
  begin(scene: Scene): Promise<() => Promise<string>>;
  /** Of those who form beside it. */
  readonly namespace?: string;
};

const silentCount = 400;
const slowCount = 64;
const foreignCount = 50;
const fillCount = 80;
const claimedMost = 64;
const placesCount = 60;
const liarCount = 32;

const attacks: readonly Attack[] = [
  {
    name: 'T24 sockets that say nothing',
    async begin({ doors }) {
      const sockets = await open(doors, silentCount);
      return async () => {
        await until('all of them were closed', () => sockets.every(({ closed }) => closed));
        return `${sockets.length} of ${sockets.length} were closed`;
      };
    },
  },
  {
    name: 'T24 headers, a byte at a time',
    async begin({ doors }) {
      const sockets = await open(doors, slowCount);
      const words = upgradeRequest({ cookie: 'x'.repeat(4_096) });
      let said = 0;
      const timer = setInterval(() => {
        for (const socket of sockets)
          if (!socket.closed) socket.write(words[said % words.length] ?? '');
        said += 1;
      }, 100);
      return async () => {
        await until('all of them were closed', () => sockets.every(({ closed }) => closed));
        clearInterval(timer);
        return `${sockets.length} of ${sockets.length} were closed`;
      };
    },
  },
  {
    name: 'T24 pages of another site',
    async begin({ doors }) {
      const statuses = await Promise.all(
        (await open(doors, foreignCount)).map(async (socket) => {
          socket.write(upgradeRequest({ origin: 'https://evil.example' }));
          return new Promise<string>((resolve) => {
            socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1').slice(9, 12)));
            socket.once('close', () => resolve('nothing'));
          });
        }),
      );
      return async () => {
        const refused = statuses.filter((status) => status === '403').length;
        assert.equal(refused, statuses.length, `answers were ${[...new Set(statuses)].join(', ')}`);
        return `${refused} of ${statuses.length} got 403`;
      };
    },
  },
  {
    name: `T7 ${badCallers.length} kinds of broken callers`,
    async begin({ doors }) {
      for (const caller of badCallers) {
        await Promise.all(doors.map((port) => callBadly(port, caller)));
      }
      return async () => `${3 * doors.length * badCallers.length} calls`;
    },
  },
  {
    name: 'T21 a register is filled by one host',
    async begin({ relay, ask }) {
      const told = await ask({ type: 'fill', relay: relay.address, count: fillCount });
      return async () => {
        assert.equal(told.had, claimedMost);
        assert.deepEqual(told.refusals, { claimedPerPeer: fillCount - claimedMost });
        return `${told.had} of ${fillCount} names`;
      };
    },
  },
  {
    name: 'T22 the name is claimed under another secret',
    namespace: 'squatted',
    async begin({ relay, ask }) {
      const namespaces = ['squatted'];
      const told = await ask({ type: 'squat', relay: relay.address, count: 1, namespaces });
      return async () => {
        assert.equal(told.had, 1);
        return 'he has it, and they have it beside him';
      };
    },
  },
  {
    name: 'T25 wrong signatures, 100 a second from each of 32 sessions',
    async begin({ relay, ask }) {
      await ask({ type: 'lie', relay: relay.address, count: liarCount });
      return async () => {
        const refused = await numberAt(relay.port, 'relay_overloaded_total');
        assert.ok(refused > 0, 'nobody was refused');
        await ask({ type: 'leave', relay: relay.address, count: 0 });
        return `${refused} refusals, all others were not read`;
      };
    },
  },
  {
    name: 'T23 T25 places that nobody can be reached at',
    async begin({ relay, ask }) {
      const before = await numberAt(relay.port, 'relay_reservations');
      const told = await ask({ type: 'places', relay: relay.address, count: placesCount });
      assert.equal(told.had, placesCount);
      return async () => {
        const most = before + placesCount / 2;
        await until(
          'their places are given to others',
          async () => (await numberAt(relay.port, 'relay_reservations')) < most,
          { timeoutMs: 120_000 },
        );
        await ask({ type: 'leave', relay: relay.address, count: 0 });
        return `${told.had} places, taken back`;
      };
    },
  },
  {
    name: 'T27 a relay that says it is of the group, whose id it copied',
    async begin({ world, relay }) {
      const mark = join('register', 'GROUP');
      const { group } = JSON.parse(
        (await readFile(join(relay.data, mark), 'utf8')).split('\n')[0] ?? '',
      ) as { readonly group: string };
      const impostor = await world.relay('impostor', []);
      await mkdir(join(impostor.data, 'register'), { recursive: true, mode: 0o700 });
      await copyFile(join(relay.data, mark), join(impostor.data, mark));
      await impostor.start();
      const led = await world.member('led', relay, {
        namespace: 'led',
        relay: `${impostor.address}#${group}`,
      });
      const daemon = led.launch();
      return async () => {
        const { code } = await daemon.event('what is wrong', ({ event }) => event === 'error');
        assert.ok(!daemon.events.some(({ role }) => role === 'leader'), 'it founded there');
        await led.kill();
        await impostor.kill();
        return `who is led there hears ${code} and founds nothing`;
      };
    },
  },
];

await inWorld(async (world) => {
  const stranger = fork(
    fileURLToPath(new URL('../../bench/src/relay/attacker-main.ts', import.meta.url)),
    [],
    {
      execArgv: ['--conditions=source', '--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  try {
    const port = await freePort();
    const relay = await world.relay();
    await relay.start();
    const member = await world.member('listening', relay, {
      flags: ['--listen', `127.0.0.1:${port}`],
    });
    await member.start();
    await world.voters([member]);
    const ask: Scene['ask'] = async (order) =>
      new Promise((resolve, reject) => {
        stranger.once('message', (told) => resolve(told as Told));
        stranger.once('exit', () => reject(new Error('The stranger ended')));
        stranger.send(order);
      });
    const scene: Scene = { world, relay, member, doors: [relay.port, port], ask };
    console.log(`nobody: they form within ${await form(scene, 'quiet')} ms`);
    for (const [at, { name, begin, namespace }] of attacks.entries()) {
      const end = await begin(scene);
      const ms = await form(scene, namespace ?? `beside-${at}`);
      const counted = await end();
      for (const { daemon, label } of [relay, member]) {
        assert.ok(daemon.isRunning, `${label} lives after: ${name}`);
      }
      console.log(`${name}: ${counted}; beside it they form within ${ms} ms`);
    }
    assert.equal((await world.voters([member])).label, member.label);
  } finally {
    stranger.kill();
  }
});
console.log(`${attacks.length} attacks, and each time honest members formed and wrote`);

/** Two fresh members become a cluster of the relay and write; resolves with the milliseconds it took. */
async function form({ world, relay }: Scene, namespace: string): Promise<number> {
  const from = performance.now();
  const pair = await Promise.all(
    ['a', 'b'].map(async (label) => world.member(`${namespace}-${label}`, relay, { namespace })),
  );
  await Promise.all(pair.map(async (member) => member.start()));
  await world.until(`${namespace} is one cluster`, async () => {
    const [a, b] = await Promise.all(pair.map(async (member) => member.status()));
    return a?.phase === 'ready' && b?.phase === 'ready' && a.clusterId === b.clusterId;
  });
  for (const { gateway } of pair) await demand(gateway, 'put', { key: 'formed', value: namespace });
  const ms = Math.round(performance.now() - from);
  await Promise.all(pair.map(async (member) => member.kill()));
  return ms;
}

/** As many at each door. */
async function open(doors: readonly number[], count: number): Promise<Socket[]> {
  const opening = doors.flatMap((port) =>
    Array.from(
      { length: count },
      async () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.off('error', reject);
            socket.on('error', () => socket.destroy());
            resolve(socket);
          });
          socket.once('error', reject);
          socket.resume();
        }),
    ),
  );
  return Promise.all(opening);
}

async function numberAt(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`quorate_${name} `));
  return Number(line?.split(' ')[1] ?? Number.NaN);
}
