import type { ChildProcess } from 'node:child_process';
import { readFile, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cipher } from '@quorate/contracts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Relay } from '../src/relay/index.ts';
import { announced } from './announced.ts';
import { runProgram } from './processes/remote-host.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { answered, closing, folder, plainAddress, until, watched } from './watching.ts';

const topic = '34'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';
const patience = (): AbortSignal => AbortSignal.timeout(15_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function open(options: Libp2pHostOptions): Promise<Libp2pHost> {
  const host = closing(await createLibp2pHost(options));
  return options.reserve === false || (options.relays ?? []).length === 0 ? host : announced(host);
}

async function relayIn(directory: string, init: boolean, listen = anyPort): Promise<Relay> {
  return closing(
    await startRelay({ directory, init, fresh: true, listen: [listen], verify: verifyRecord }),
  );
}

type RelayProcess = {
  readonly addresses: readonly string[];
  readonly group: string | null;
  kill(): Promise<void>;
};

async function relayProcess(directory: string, listen: string): Promise<RelayProcess> {
  const child: ChildProcess = runProgram(
    './relay-main.ts',
    JSON.stringify({ directory, listen, init: true, fresh: true }),
  );
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(kill);
  const told = await new Promise<Omit<RelayProcess, 'kill'>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Omit<RelayProcess, 'kill'>));
    child.once('exit', (code) => reject(new Error(`The relay ended with ${code}`)));
  });
  return { ...told, kill };
}

describe('a relay that is killed and started again', () => {
  test('is the same peer with the same register; places come back, links go on (F15)', async () => {
    const directory = await folder();
    const first = await relayProcess(directory, anyPort);
    const address = plainAddress(first.addresses);
    const relays = [address];
    const [a, b] = [await open({ relays }), await open({ relays })];
    const listening = await open({ listen: [anyPort], relays });
    await until('both have a place', () => a.addresses().length + b.addresses().length === 2);
    const before = a.addresses();

    const register = a.register(testCipher('one', 'secret'));
    await register.compareAndSet(0, bytes('claim'), patience());
    const seen = watched();
    const transport = a.transport(topic);
    await transport.start(seen.handler);
    const far = listening.transport(topic);
    const seenFar = watched();
    await far.start(seenFar.handler);
    transport.connect(listening.peerId, [listening.addresses()[0]!]);
    await until('a direct link is up', () => seen.links.size === 1);

    await first.kill();
    await until('the places are gone', () => a.addresses().length + b.addresses().length === 0);
    seen.links.get(listening.peerId)!.send('raft', bytes('without a relay'));
    await until('frames flow', () => seenFar.events.includes('raft without a relay'));

    const second = await relayProcess(directory, address);
    expect(second.addresses).toEqual(first.addresses);
    expect(second.group).toBe(first.group);
    await until('the places are back', () => a.addresses().length + b.addresses().length === 2);
    expect(a.addresses()).toEqual(before);
    expect(seen.events).toEqual(['up']);

    const record = await register.read(patience());
    expect(record).toMatchObject({ version: 1, value: bytes('claim') });
    const seenB = watched();
    await b.transport(topic).start(seenB.handler);
    transport.connect(b.peerId, b.addresses());
    await until('a new link through the relay', () => seenB.links.get(a.peerId) !== undefined);
  }, 60_000);

  test('keeps every acknowledged version through SIGKILL (Z10)', async () => {
    const directory = await folder();
    let relay = await relayProcess(directory, anyPort);
    const address = plainAddress(relay.addresses);
    const host = await open({ relays: [address], reserve: false });
    const register = host.register(testCipher('one', 'secret'));
    let acknowledged = 0;
    for (let round = 0; round < 4; round += 1) {
      let killed: Promise<void> | null = null;
      for (let turn = 0; killed === null; turn += 1) {
        const set = register.compareAndSet(acknowledged, bytes(`${acknowledged + 1}`), patience());
        // The last one of a round is under way while the relay dies.
        if (turn === 5 + round) killed = relay.kill();
        const result = await set.catch(() => null);
        if (result?.ok === true) acknowledged = result.version;
      }
      await killed;
      relay = await relayProcess(directory, address);
      const record = await answered('the record', () => register.read(patience()));
      // What was acknowledged is there; one more may have been carried out unheard.
      expect(record.version).toBeGreaterThanOrEqual(acknowledged);
      expect(record.version).toBeLessThanOrEqual(acknowledged + 1);
      expect(new TextDecoder().decode(record.value)).toBe(`${record.version}`);
      acknowledged = record.version;
    }
    expect(acknowledged).toBeGreaterThan(4);
  }, 60_000);
});

describe('who decides (Z11)', () => {
  test('a relay without init carries traffic and refuses claims; init makes it decide', async () => {
    const directory = await folder();
    const carrier = await relayIn(directory, false);
    expect(carrier).toMatchObject({ group: null, lost: null });
    const relays = [plainAddress(carrier.addresses())];
    const host = await open({ relays });
    await until('it carries', () => host.addresses().length === 1);
    const register = host.register(testCipher('one', 'secret'));
    const refused = { code: 'FORMATION_WAITING' };
    await expect(register.read(patience())).rejects.toMatchObject(refused);
    const claim = register.compareAndSet(0, bytes('x'), patience());
    await expect(claim).rejects.toMatchObject(refused);
    await carrier.close();

    const decider = await relayIn(directory, true, relays[0]);
    expect(decider.group).toMatch(/^[0-9a-f]{32}$/);
    expect(decider.peerId).toBe(carrier.peerId);
    // The host notices the new relay by itself; until then calls are refused.
    await answered('the group', async () => {
      await register.read(patience());
      return register.group || null;
    });
    expect(register.group).toBe(decider.group);
    await decider.close();
    // Made once, it decides; a further init changes nothing.
    const again = await relayIn(directory, false, relays[0]);
    expect(again.group).toBe(decider.group);
  });

  test('a register that went missing refuses claims until a person speaks', async () => {
    const directory = await folder();
    const first = await relayIn(directory, true);
    const relays = [plainAddress(first.addresses())];
    await first.close();
    await rm(join(directory, 'register'), { recursive: true });
    for (const init of [false, true]) {
      const events: unknown[] = [];
      const relay = await startRelay({
        directory,
        init,
        fresh: true,
        listen: relays,
        verify: verifyRecord,
        onEvent: (event) => events.push(event),
      });
      expect(relay.lost).toContain('register/GROUP is missing');
      expect(events).toContainEqual({
        type: 'register',
        group: relay.group,
        lost: relay.lost,
        heldMs: 0,
      });
      const host = await createLibp2pHost({ relays });
      const register = host.register(testCipher('one', 'secret'));
      const read = register.read(patience());
      await expect(read).rejects.toMatchObject({ code: 'REGISTER_LOST' });
      const claim = register.compareAndSet(0, bytes('x'), patience());
      await expect(claim).rejects.toMatchObject({ code: 'REGISTER_LOST' });
      await host.close();
      await relay.close();
    }
    await unlink(join(directory, 'relay.key'));
    const keyless = await relayIn(directory, true, relays[0]);
    expect(keyless.lost).toContain('relay.key is missing');
  });

  test('a damaged file is REGISTER_LOST for its namespace alone', async () => {
    const directory = await folder();
    const first = await relayIn(directory, true);
    const address = plainAddress(first.addresses());
    const host = await open({ relays: [address], reserve: false });
    const [one, two] = [testCipher('one', 'secret'), testCipher('two', 'secret')];
    for (const cipher of [one, two]) {
      await host.register(cipher).compareAndSet(0, bytes('kept'), patience());
    }
    await first.close();
    const path = join(directory, 'register', `${one.topic}.cbor`);
    const stored = await readFile(path);
    stored[stored.length - 2]! ^= 1;
    await writeFile(path, stored);
    await relayIn(directory, false, address);
    const again = await open({ relays: [address], reserve: false });
    const read = again.register(one).read(patience());
    await expect(read).rejects.toMatchObject({ code: 'REGISTER_LOST' });
    expect((await again.register(two).read(patience()))?.version).toBe(1);
    const files = await readdir(join(directory, 'register'));
    expect(files.sort()).toEqual(
      ['GROUP', 'topics', `${one.topic}.cbor`, `${two.topic}.cbor`].sort(),
    );
  });

  test('another group than the pinned one is refused', async () => {
    const relay = await relayIn(await folder(), true);
    const address = plainAddress(relay.addresses());
    const right = await open({ relays: [`${address}#${relay.group}`], reserve: false });
    expect(await right.register(testCipher('one', 'secret')).read(patience())).toBeNull();
    const wrong = await open({ relays: [`${address}#${'0'.repeat(32)}`], reserve: false });
    const read = wrong.register(testCipher('one', 'secret')).read(patience());
    await expect(read).rejects.toMatchObject({ code: 'REGISTER_LOST' });
  });

  test('Z9 Z53 one relay of two is enough to read, and to found it is not, unless its group is pinned', async () => {
    const other = await relayIn(await folder(), true);
    const address = plainAddress(other.addresses());
    const host = await open({ relays: ['ws://127.0.0.1:1', address] });
    await until('the other one carries', () => host.addresses().length === 1);
    const register = host.register(testCipher('one', 'secret'));
    expect(await register.read(patience())).toBeNull();
    await expect(register.compareAndSet(0, bytes('x'), patience())).rejects.toMatchObject({
      code: 'FORMATION_WAITING',
      message: expect.stringContaining('1 of 2 relays answer') as string,
    });
    const pinned = await open({ relays: ['ws://127.0.0.1:1', `${address}#${other.group}`] });
    const claim = pinned.register(testCipher('one', 'secret'));
    expect(await claim.compareAndSet(0, bytes('x'), patience())).toMatchObject({ ok: true });
    const none = await open({});
    expect(() => none.register(testCipher('one', 'secret'))).toThrow(RangeError);
  });

  test('two relays do not share a directory', async () => {
    const directory = await folder();
    const first = await relayIn(directory, true);
    const second = startRelay({ directory, listen: [anyPort], verify: verifyRecord });
    await expect(second).rejects.toMatchObject({ code: 'STORAGE_LOCKED' });
    await first.close();
    const third = await relayIn(directory, false);
    expect(third.group).toBe(first.group);
  });

  test('a taken port is UNREACHABLE, and the directory is free again', async () => {
    const first = await relayIn(await folder(), true);
    const directory = await folder();
    const listen = [plainAddress(first.addresses())];
    const second = startRelay({ directory, listen, verify: verifyRecord });
    await expect(second).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await relayIn(directory, false);
  });
});

describe('what a relay accepts (Z32)', () => {
  const forger = (cipher: Cipher): Cipher => ({
    ...cipher,
    sealRecord: (purpose, version, value) => {
      // A signature for another version is as good as none.
      return cipher.sealRecord(purpose, version + 1, value);
    },
  });

  test('an unsigned claim or announcement is refused', async () => {
    const relay = await relayIn(await folder(), true);
    const relays = [plainAddress(relay.addresses())];
    const [good, bad] = [await open({ relays }), await open({ relays })];
    const cipher = testCipher('one', 'secret');
    const claim = bad.register(forger(cipher)).compareAndSet(0, bytes('x'), patience());
    await expect(claim).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(await good.register(cipher).read(patience())).toBeNull();
    const [honest, forged] = [good.rendezvous(cipher), bad.rendezvous(forger(cipher))];
    forged.announce({ host: bad.peerId, addresses: ['/forged'] });
    honest.announce({ host: good.peerId, addresses: ['/honest'] });
    const third = (await open({ relays })).rendezvous(cipher);
    const found: string[] = [];
    third.watch(({ host }) => found.push(host));
    await until('the honest one is found', () => found.includes(good.peerId));
    // Both were sent before; the relay has answered both by now.
    expect((await third.list(patience())).map(({ host }) => host)).toEqual([good.peerId]);
  });

  test('T25: a host that asks too much is told OVERLOADED and served again later', async () => {
    const relay = await relayIn(await folder(), true);
    const host = await open({ relays: [plainAddress(relay.addresses())], reserve: false });
    const register = host.register(testCipher('one', 'secret'));
    const [few, many] = [20, 150];
    // Refused for their version: what counts is the look at their signatures.
    const ask = async (count: number): Promise<PromiseSettledResult<unknown>[]> =>
      Promise.allSettled(
        Array.from({ length: count }, async (_, index) =>
          register.compareAndSet(1 + index, new Uint8Array(8), patience()),
        ),
      );
    expect((await ask(few)).every(({ status }) => status === 'fulfilled')).toBe(true);
    const asked = await ask(many);
    const refused = asked.filter((one) => one.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(many);
    for (const one of refused) expect(one.reason).toMatchObject({ code: 'OVERLOADED' });
    let served = false;
    while (!served)
      served = await register.read(patience()).then(
        () => true,
        () => false,
      );
  });
});
