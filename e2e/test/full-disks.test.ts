/** Members whose disks are really full: each has a small file system of its own. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { call, demand, entries, metric } from '../src/gateway.ts';
import type { MemberSeat, World } from '../src/world.ts';
import { inWorld } from '../src/world.ts';

/** Mounts a file system of `megabytes` for each of these members; the result unmounts them. */
function mountDisks(world: World, labels: readonly string[], megabytes: number): () => void {
  const places = labels.map((label) => world.path(`node-${label}`));
  for (const place of places) {
    mkdirSync(place, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', place]);
  }
  return () => {
    // Those that still have it open are about to be killed.
    for (const place of places) execFileSync('umount', ['--lazy', place]);
  };
}

function mayMount(): boolean {
  const place = '/tmp/quorate-mount-probe';
  try {
    mkdirSync(place, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const filler = (member: MemberSeat): string => member.world.path(`node-${member.label}`, 'filler');

/** Somebody else writes until there is no byte left. */
function fill(member: MemberSeat): void {
  const file = openSync(filler(member), 'a');
  for (let bytes = 1_048_576; bytes >= 1;) {
    try {
      writeSync(file, Buffer.alloc(bytes, 7));
    } catch {
      bytes = Math.floor(bytes / 2);
    }
  }
  closeSync(file);
}

function makeRoom(member: MemberSeat): void {
  rmSync(filler(member));
}

const reserveOf = (member: MemberSeat): string =>
  join(member.world.path(`node-${member.label}`), 'e2e', 'log', 'replica', 'reserve');

async function readyz(member: MemberSeat): Promise<number> {
  return (await fetch(`${member.gateway}/readyz`)).status;
}

async function hasReserve(member: MemberSeat): Promise<void> {
  await member.world.until(
    `${member.label} has a reserve`,
    () => statSync(reserveOf(member), { throwIfNoEntry: false })?.size === 4 * 1_048_576,
  );
}

async function isFull(world: World, members: readonly MemberSeat[]): Promise<void> {
  for (const member of members) {
    await world.until(`${member.label} refuses writes`, async () => {
      const { canWrite, reason } = await member.status();
      return !canWrite && reason === 'STORAGE_FULL';
    });
    expect(await readyz(member)).toBe(503);
    expect(await metric(member.gateway, 'quorate_can_write')).toBe(0);
    const answer = await call(member.gateway, 'put', { key: 'refused', value: 1 });
    expect(answer).toMatchObject({ code: 'STORAGE_FULL', outcome: 'not-applied' });
  }
}

async function takesWrites(world: World, members: readonly MemberSeat[]): Promise<void> {
  for (const member of members) {
    await world.until(`${member.label} has room`, async () => {
      const { canWrite, reason } = await member.status();
      return canWrite && reason === null;
    });
  }
  for (const member of members) {
    expect(await readyz(member)).toBe(200);
    expect(await metric(member.gateway, 'quorate_can_write')).toBe(1);
    await demand(member.gateway, 'put', { key: `after/${member.label}`, value: 1 });
  }
}

if (!mayMount()) {
  console.warn('SKIPPED: full disks, for this process may not mount a file system');
}

// Skipped: a process that is not root has no file systems of its own.
it.runIf(mayMount())(
  'T20 all disks full: refused at once, deletions go through, restarts too, and all goes on by itself',
  async () => {
    await inWorld(async (world) => {
      const unmount = mountDisks(world, ['a', 'b', 'c'], 24);
      try {
        const { members } = await world.cluster(3);
        const [first, second, third] = members as [MemberSeat, MemberSeat, MemberSeat];
        for (let at = 0; at < 20; at++) {
          await demand(first.gateway, 'put', { key: `key/${at}`, value: 'x'.repeat(10_000) });
        }
        for (const member of members) await hasReserve(member);
        const written = new Set<string>();
        for (const member of members) fill(member);
        // The first ones that find no room are written all the same, in what was kept for them.
        for (const member of members) {
          const key = `last/${member.label}`;
          const answer = await call(member.gateway, 'put', { key, value: 'x'.repeat(300_000) });
          if (answer.ok) written.add(key);
          else expect(answer).toMatchObject({ code: 'STORAGE_FULL', outcome: 'not-applied' });
        }
        await isFull(world, members);
        for (const [at, member] of members.entries()) {
          await demand(member.gateway, 'delete', { key: `key/${at}` });
        }
        await demand(third.gateway, 'delete', { prefix: 'key/1' });

        await second.kill();
        await second.start();
        await isFull(world, members);
        await world.leader(members);
        await demand(second.gateway, 'delete', { key: 'key/9' });

        for (const member of members) makeRoom(member);
        await takesWrites(world, members);
        for (const member of members) await hasReserve(member);
        const kept = [3, 4, 5, 6, 7, 8].map((at) => `key/${at}`);
        const after = members.map(({ label }) => `after/${label}`);
        const wanted = [...kept, ...written, ...after].sort();
        for (const member of members) {
          const keys = (await entries(member.gateway, '')).map(({ key }) => key);
          expect(keys.sort()).toEqual(wanted);
        }
      } finally {
        unmount();
      }
    });
  },
);

// Skipped: a process that is not root has no file systems of its own.
it.runIf(mayMount())(
  'T20 a member alone that is started without a byte of room waits, and begins once there is some',
  async () => {
    await inWorld(async (world) => {
      const unmount = mountDisks(world, ['a'], 24);
      try {
        const { members } = await world.cluster(1);
        const [member] = members as [MemberSeat];
        await demand(member.gateway, 'put', { key: 'kept', value: 1 });
        await hasReserve(member);
        fill(member);
        await call(member.gateway, 'put', { key: 'last', value: 'x'.repeat(500_000) });
        await isFull(world, members);
        await member.kill();
        // Nothing is left of what was kept either.
        fill(member);
        member.launch();
        await world.until('it says why it does not begin', async () => {
          const { phase, reason } = await member.status();
          return phase === 'starting' && reason === 'STORAGE_FULL';
        });
        expect(await readyz(member)).toBe(503);
        expect((await fetch(`${member.gateway}/healthz`)).status).toBe(200);
        makeRoom(member);
        await member.hasStarted();
        await takesWrites(world, members);
        const keys = (await entries(member.gateway, '')).map(({ key }) => key);
        expect(keys).toEqual(expect.arrayContaining(['after/a', 'kept']));
      } finally {
        unmount();
      }
    });
  },
);
