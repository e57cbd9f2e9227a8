/** Whatever part of a relay's register is lost (T3), and who may found on a new one (Z58). */
import { mkdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { describe, expect, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/index.ts';
import { releaseTopic, startRelay } from '../src/relay/index.ts';
import type { Relay, RelayOptions } from '../src/relay/index.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { closing, folder, pause, plainAddress } from './watching.ts';

const anyPort = '/ip4/127.0.0.1/tcp/0/ws';
const patience = (): AbortSignal => AbortSignal.timeout(15_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const [one, two, three] = ['one', 'two', 'three'].map((name) => testCipher(name, 'secret')) as [
  ReturnType<typeof testCipher>,
  ReturnType<typeof testCipher>,
  ReturnType<typeof testCipher>,
];

async function open(options: Libp2pHostOptions): Promise<Libp2pHost> {
  return closing(await createLibp2pHost(options));
}

async function relayIn(directory: string, more: Partial<RelayOptions> = {}): Promise<Relay> {
  return closing(await startRelay({ directory, listen: [anyPort], verify: verifyRecord, ...more }));
}

/** A directory whose register holds two namespaces. */
async function founded(): Promise<string> {
  const directory = await folder();
  const relay = await relayIn(directory, { init: true, fresh: true });
  const host = await open({ relays: [plainAddress(relay.addresses())], reserve: false });
  for (const cipher of [one, two]) {
    await host.register(cipher).compareAndSet(0, bytes('active'), patience());
  }
  await host.close();
  await relay.close();
  return directory;
}

/** What the register of each namespace says through a relay in `directory`. */
async function answersOf(directory: string): Promise<{ lost: string | null; codes: string[] }> {
  const relay = await relayIn(directory, { fresh: true });
  const host = await open({ relays: [plainAddress(relay.addresses())], reserve: false });
  const codes: string[] = [];
  for (const cipher of [one, two, three]) {
    const answer = await host
      .register(cipher)
      .read(patience())
      .then(
        (record) => (record === null ? 'empty' : 'there'),
        (error: { code: string }) => error.code,
      );
    codes.push(answer);
  }
  await host.close();
  await relay.close();
  return { lost: relay.lost, codes };
}

const lost = ['REGISTER_LOST', 'REGISTER_LOST', 'REGISTER_LOST'];
const kept = ['there', 'there', 'empty'];
const files: readonly {
  readonly file: (directory: string) => string;
  readonly named: string;
  readonly missing: readonly string[];
  readonly empty: readonly string[];
  readonly cut: readonly string[];
}[] = [
  {
    file: (directory) => join(directory, 'group.key'),
    named: 'group.key',
    missing: lost,
    empty: ['STORAGE_CORRUPT'],
    cut: ['STORAGE_CORRUPT'],
  },
  {
    file: (directory) => join(directory, 'relay.key'),
    named: 'relay.key',
    missing: lost,
    empty: ['STORAGE_CORRUPT'],
    cut: ['STORAGE_CORRUPT'],
  },
  {
    file: (directory) => join(directory, 'register', 'GROUP'),
    named: 'register/GROUP',
    missing: lost,
    empty: ['STORAGE_CORRUPT'],
    cut: ['STORAGE_CORRUPT'],
  },
  {
    file: (directory) => join(directory, 'register', 'topics'),
    named: 'register/topics',
    missing: lost,
    empty: lost,
    // One namespace less than there are files is what a crash leaves behind.
    cut: kept,
  },
  {
    file: (directory) => join(directory, 'register', `${one.topic}.cbor`),
    named: '',
    missing: ['REGISTER_LOST', 'there', 'empty'],
    empty: ['REGISTER_LOST', 'there', 'empty'],
    cut: ['REGISTER_LOST', 'there', 'empty'],
  },
  {
    file: (directory) => join(directory, 'register'),
    named: 'register/GROUP',
    missing: lost,
    empty: [],
    cut: [],
  },
];

describe('a register of which something is lost', () => {
  for (const how of ['missing', 'empty', 'cut'] as const) {
    for (const { file, named, ...wanted } of files) {
      if (wanted[how].length === 0) continue;
      const name = file('').replace(one.topic, 'TOPIC');
      test(`T3 Z41 ${name} is ${how}: typed, named, and nobody founds there`, async () => {
        const directory = await founded();
        const path = file(directory);
        if (how === 'missing') await rm(path, { recursive: true });
        else await truncate(path, how === 'empty' ? 0 : (await readFile(path)).length - 9);
        if (wanted[how][0] === 'STORAGE_CORRUPT') {
          const error = await relayIn(directory).catch((caught: unknown) => caught);
          expect(error).toMatchObject({ code: 'STORAGE_CORRUPT' });
          expect(String(error)).toContain(named);
          return;
        }
        const found = await answersOf(directory);
        expect(found.codes).toEqual(wanted[how]);
        if (wanted[how] === lost) expect(found.lost).toContain(named);
      });
    }
  }

  test('T3 an emptied directory is a new group with --init, and carries traffic without', async () => {
    const directory = await founded();
    const before = (await readFile(join(directory, 'register', 'GROUP'), 'utf8')).trim();
    await rm(directory, { recursive: true });
    await mkdir(directory);
    expect((await answersOf(directory)).codes).toEqual([
      'FORMATION_WAITING',
      'FORMATION_WAITING',
      'FORMATION_WAITING',
    ]);
    const relay = await relayIn(directory, { init: true });
    expect(relay.group).not.toBeNull();
    expect(before).not.toContain(relay.group);
  });

  test('T3 T27 a group whose key is lost stays lost, with --init too: nobody can prove to be it', async () => {
    const directory = await founded();
    await unlink(join(directory, 'group.key'));
    const relay = await relayIn(directory, { init: true, fresh: true });
    expect(relay.lost).toContain('group.key is missing');
    await relay.close();
    expect((await answersOf(directory)).codes).toEqual(lost);
  });

  test('T3 T27 a crash while the group was made: --init completes it, for nobody knows it yet', async () => {
    const directory = await folder();
    await (await relayIn(directory, { init: true })).close();
    await unlink(join(directory, 'group.key'));
    const carrier = await relayIn(directory);
    expect(carrier.lost).toContain('group.key is missing');
    await carrier.close();
    expect((await relayIn(directory, { init: true })).lost).toBeNull();
  });

  test('T3 what a crash left of a line of the list is written over', async () => {
    const directory = await founded();
    const path = join(directory, 'register', 'topics');
    await writeFile(path, `${await readFile(path, 'utf8')}0123abc`);
    const relay = await relayIn(directory);
    const host = await open({ relays: [plainAddress(relay.addresses())], reserve: false });
    await host.register(three).compareAndSet(0, bytes('active'), patience());
    await host.close();
    await relay.close();
    expect((await answersOf(directory)).codes).toEqual(['there', 'there', 'there']);
    expect((await readFile(path)).length).toBe(4 * 65);
  });
});

async function eventually(what: string, fact: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await fact()); attempt += 1) {
    if (attempt > 500) throw new Error(`Waited in vain: ${what}`);
    await pause(20);
  }
}

/** The machine's clock, with jumps. */
class Leaping implements Clock {
  aheadMs = 0;
  now = (): number => systemClock.now() + this.aheadMs;
  wallNow = (): number => this.now();
  setTimeout = systemClock.setTimeout.bind(systemClock);
  defer = systemClock.defer.bind(systemClock);
}

describe('a register made in this very start', () => {
  test('Z58 takes no first claim for 7 s, then it does; a later claim waits for nothing', async () => {
    const clock = new Leaping();
    const relay = await relayIn(await folder(), { init: true, clock });
    expect(relay.heldMs).toBe(7_000);
    const host = await open({ relays: [plainAddress(relay.addresses())], reserve: false });
    const register = host.register(one);
    expect(await register.read(patience())).toBeNull();
    const early = register.compareAndSet(0, bytes('1'), patience());
    await expect(early).rejects.toMatchObject({ code: 'FORMATION_WAITING' });
    await expect(early).rejects.toThrow('--fresh');
    clock.aheadMs += 7_000;
    expect(await register.compareAndSet(0, bytes('1'), patience())).toMatchObject({ ok: true });
    expect(await register.compareAndSet(1, bytes('2'), patience())).toMatchObject({ ok: true });
  });

  test('Z58 with --fresh, and started again with data, it waits for nothing; emptied of all it does', async () => {
    const directory = await founded();
    expect((await relayIn(await folder(), { init: true, fresh: true })).heldMs).toBe(0);
    const again = await relayIn(directory);
    expect(again.heldMs).toBe(0);
    await again.close();
    await truncate(join(directory, 'register', 'topics'), 65);
    for (const { topic } of [one, two]) await unlink(join(directory, 'register', `${topic}.cbor`));
    expect((await relayIn(directory)).heldMs).toBe(7_000);
  });

  test('Z58 hosts are announced again sooner than the first claim is taken', async () => {
    const directory = await folder();
    const first = await relayIn(directory, { init: true, fresh: true });
    const address = plainAddress(first.addresses());
    const member = await open({ relays: [address], reserve: false });
    const cluster = { clusterId: 'ab'.repeat(16), generation: 1, label: 'a' };
    const place = member.rendezvous(one);
    place.announce({ host: member.peerId, addresses: ['/a'], cluster });
    await eventually('it is announced', async () => (await listed(address)).length === 1);
    await first.close();
    await rm(directory, { recursive: true });
    // Long enough for the pauses between its attempts to have grown to their longest.
    await pause(6_000);
    const second = await relayIn(directory, { init: true, listen: [address] });
    const fresh = await open({ relays: [address], reserve: false });
    for (;;) {
      const claim = await fresh
        .register(one)
        .compareAndSet(0, bytes('1'), patience())
        .catch(() => null);
      if (claim !== null) break;
      await pause(20);
    }
    const [found] = await fresh.rendezvous(one).list(patience());
    expect(found?.cluster).toEqual(cluster);
    await second.close();
  }, 60_000);

  async function listed(address: string): Promise<readonly unknown[]> {
    const host = await open({ relays: [address], reserve: false });
    const found = await host.rendezvous(one).list(patience());
    await host.close();
    return found;
  }
});

describe('releaseTopic()', () => {
  const release = (
    directory: string,
    topic: string,
    force = false,
  ): ReturnType<typeof releaseTopic> =>
    releaseTopic({ directory, topic, force, verify: verifyRecord });

  test('Z10 while no relay runs it takes a namespace out of the files, and no other', async () => {
    const directory = await founded();
    expect(await release(directory, one.topic)).toEqual({ released: true, announced: 0 });
    expect(await release(directory, one.topic)).toEqual({ released: false, announced: 0 });
    const { codes } = await answersOf(directory);
    expect(codes).toEqual(['empty', 'there', 'empty']);
  });

  test('Z10 a damaged record is released too', async () => {
    const directory = await founded();
    await truncate(join(directory, 'register', `${one.topic}.cbor`), 0);
    expect(await release(directory, one.topic)).toMatchObject({ released: true });
    expect((await answersOf(directory)).codes).toEqual(['empty', 'there', 'empty']);
  });

  test('Z10 Z58 a running relay refuses while hosts are announced, unless it is forced', async () => {
    const directory = await founded();
    const relay = await relayIn(directory);
    const relays = [plainAddress(relay.addresses())];
    const member = await open({ relays, reserve: false });
    const place = member.rendezvous(one);
    const cluster = { clusterId: 'ab'.repeat(16), generation: 1, label: 'a' };
    place.announce({ host: member.peerId, addresses: ['/a'], cluster });
    const asker = await open({ relays, reserve: false });
    const list = async (): Promise<number> => (await asker.rendezvous(one).list(patience())).length;
    await eventually('it is announced', async () => (await list()) === 1);

    expect(await release(directory, one.topic)).toEqual({ released: false, announced: 1 });
    expect(await asker.register(one).read(patience())).not.toBeNull();
    expect(await release(directory, one.topic, true)).toEqual({ released: true, announced: 1 });
    expect(await asker.register(one).read(patience())).toBeNull();
    // Announced again, it is not listed before somebody has claimed the name.
    place.announce({ host: member.peerId, addresses: ['/b'], cluster });
    await pause(300);
    expect(await list()).toBe(0);
    await asker.register(one).compareAndSet(0, bytes('anew'), patience());
    place.announce({ host: member.peerId, addresses: ['/c'], cluster });
    await eventually('it is listed again', async () => (await list()) === 1);
    expect(await release(directory, two.topic)).toEqual({ released: true, announced: 0 });
  });

  test('where no register lies nothing is made', async () => {
    const directory = await folder();
    await expect(release(directory, one.topic)).rejects.toMatchObject({ code: 'REGISTER_LOST' });
  });
});
