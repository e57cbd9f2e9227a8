import { connectClient } from '@quorate/client';
import type { Client, ClientKeyValue, WatchBatch } from '@quorate/client';
import type { KeyValue } from '@quorate/kv';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { startGateway } from '../src/index.ts';
import type { Gateway, GatewayOptions } from '../src/index.ts';
import { LocalMember, ReplicatedLog } from './local-member.ts';

const gateways: Gateway[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close({ graceMs: 0 })));
});

async function start(member: LocalMember, options?: GatewayOptions): Promise<Gateway> {
  const gateway = await startGateway(member, options);
  gateways.push(gateway);
  return gateway;
}

function connect(...at: readonly Gateway[]): Client {
  const client = connectClient({ urls: at.map((gateway) => gateway.url) });
  clients.push(client);
  return client;
}

async function one(): Promise<{ member: LocalMember; gateway: Gateway; client: Client }> {
  const member = new LocalMember(new ReplicatedLog());
  const gateway = await start(member);
  return { member, gateway, client: connect(gateway) };
}

describe('the client through a gateway', () => {
  test('a member’s kv fits the client’s interface', () => {
    expectTypeOf<KeyValue>().toExtend<ClientKeyValue>();
  });

  test('every call gives, or fails with, what the member’s own kv does', async () => {
    const { member, client } = await one();
    const own = new LocalMember(new ReplicatedLog()).kv;
    const steps: readonly ((kv: ClientKeyValue) => Promise<unknown>)[] = [
      (kv) => kv.put('a', { deep: [1, { two: null }] }),
      (kv) => kv.put('a', 'b', { previous: true }),
      (kv) => kv.put('a', 'c', { ifAbsent: true }),
      (kv) => kv.put('a', 'c', { ifRevision: 1 }),
      (kv) => kv.put('bytes', new Uint8Array([0, 127, 255])),
      (kv) => kv.put('odd', { $bytes: 'text' }),
      (kv) => kv.getEntry('bytes'),
      (kv) => kv.get('odd'),
      (kv) => kv.get('absent'),
      (kv) => kv.increment('a'),
      (kv) => kv.increment('n', 40),
      (kv) => kv.txn({ if: [{ key: 'n', value: 40 }], then: [{ type: 'get', key: 'n' }] }),
      (kv) => kv.batch([{ type: 'delete', prefix: '', previous: true }]),
      (kv) => kv.range({ prefix: '', revision: 1 }),
      (kv) => kv.range({ prefix: '', revision: 99 }),
      (kv) => kv.range({ limit: 0 }),
      (kv) => kv.put('', 1),
      (kv) => kv.put('x/1', 1),
      (kv) => kv.put('x/2', [true, false, '\ud83d\ude00']),
      (kv) => kv.range({ prefix: 'x/', order: 'desc', limit: 1 }),
      (kv) => kv.range({ start: 'x/', end: 'x/2', keysOnly: true }),
      (kv) => kv.range({ prefix: 'x/', countOnly: true }),
      (kv) => kv.getEntry('x/1', { consistency: 'local' }),
      (kv) =>
        kv.txn({
          if: [
            { key: 'x/1', exists: true },
            { key: 'x/1', version: 5, is: '<' },
            { key: 'x/1', modRevision: 1, is: '<' },
          ],
          then: [{ type: 'delete', prefix: 'x/' }],
          else: [{ type: 'get', key: 'absent' }],
        }),
      (kv) => kv.delete('x/1', { ifRevision: 2 }),
      (kv) => kv.delete({ prefix: 'x/' }, { previous: true }),
      (kv) => kv.delete('absent'),
    ];
    for (const step of steps) {
      const [here, there] = await Promise.all([outcome(step(client.kv)), outcome(step(own))]);
      expect(here).toEqual(there);
    }
    expect(await outcome(member.kv.range())).toEqual(await outcome(own.range()));
  });

  test('watch: initial state, then every revision once, in order', async () => {
    const { member, client } = await one();
    await member.kv.put('k/1', 'one');
    const batches = client.kv.watch({ prefix: 'k/', initial: true, previous: true });
    const first = (await batches.next()).value as WatchBatch;
    expect(first).toMatchObject({ revision: 1, initial: true });
    await member.kv.put('k/2', new Uint8Array([7]));
    await member.kv.put('other', 0);
    await client.kv.delete({ prefix: 'k/' });
    expect((await batches.next()).value).toMatchObject({
      revision: 2,
      initial: false,
      events: [{ type: 'put', key: 'k/2', value: new Uint8Array([7]), previous: null }],
    });
    expect((await batches.next()).value).toMatchObject({
      revision: 4,
      events: [
        { type: 'delete', key: 'k/1', previous: { value: 'one' } },
        { type: 'delete', key: 'k/2', previous: { value: new Uint8Array([7]) } },
      ],
    });
    expect(await batches.return?.()).toEqual({ done: true, value: undefined });
  });

  test('K1 watch: gateways that come and go leave no gap and repeat nothing', async () => {
    const log = new ReplicatedLog();
    const members = [new LocalMember(log), new LocalMember(log)] as const;
    const ports = [0, 0];
    const running: (Gateway | undefined)[] = [];
    for (const [at, member] of members.entries()) {
      running[at] = await start(member, { heartbeatMs: 5 });
      ports[at] = Number(new URL(running[at].url).port);
    }
    const client = connect(running[0]!, running[1]!);
    const batches = client.kv.watch({ prefix: 'k/', from: 1 });
    const revisions: number[] = [];
    const reading = (async () => {
      for await (const batch of batches) {
        expect(batch.events.map((event) => event.key)).toEqual([`k/${batch.revision}`]);
        revisions.push(batch.revision);
        if (batch.revision === 120) return;
      }
    })();
    for (let revision = 1; revision <= 120; revision++) {
      // One gateway at a time goes away under the watch, and comes back at its old address.
      if (revision % 10 === 0) {
        const at = (revision / 10) % 2;
        await running[at]!.close({ graceMs: 0 });
        running[at] = await start(members[at]!, { heartbeatMs: 5, port: ports[at]! });
      }
      await members[revision % 2]!.kv.put(`k/${revision}`, revision);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await reading;
    expect(revisions).toEqual(Array.from({ length: 120 }, (_, at) => at + 1));
  });

  test('watch without from misses nothing after its opening, though the first stream breaks', async () => {
    const log = new ReplicatedLog();
    const member = new LocalMember(log);
    const gateway = await start(member);
    const port = Number(new URL(gateway.url).port);
    const client = connect(gateway);
    await member.kv.put('a', 'before');
    const batches = client.kv.watch({ key: 'a' });
    const next = batches.next();
    // Nothing tells a client that its watch is open but what comes through it: ask the gateway.
    while (!(await (await fetch(`${gateway.url}/metrics`)).text()).includes('gateway_watches 1')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await gateway.close({ graceMs: 0 });
    await member.kv.put('a', 'while away');
    await start(member, { port });
    expect((await next).value).toMatchObject({ revision: 2, events: [{ value: 'while away' }] });
  });

  test('K2 watch from before the history ends with COMPACTED', async () => {
    const { member, client } = await one();
    for (let n = 0; n < 10_050; n++) void member.kv.put('a', n);
    await member.kv.put('a', 'last');
    const next = client.kv.watch({ key: 'a', from: 1 }).next();
    await expect(next).rejects.toMatchObject({
      code: 'COMPACTED',
      details: { oldestRevision: expect.any(Number) as number },
    });
  });

  test('watch ends: by its signal, by return(), by close()', async () => {
    const { client } = await one();
    const stop = new AbortController();
    const aborted = client.kv.watch({ prefix: '', signal: stop.signal }).next();
    const returned = client.kv.watch({ prefix: '' });
    const pending = returned.next();
    const closed = client.kv.watch({ prefix: '' }).next();
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await returned.return?.()).toEqual({ done: true, value: undefined });
    expect(await pending).toEqual({ done: true, value: undefined });
    client.close();
    await expect(closed).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('watch tells when no gateway can be reached, and what a gateway refuses', async () => {
    const { gateway, client } = await one();
    const refused = connectClient({ url: gateway.url, token: 'unused' });
    const two = { key: 'a', prefix: 'a' } as never;
    await expect(refused.kv.watch(two).next()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await gateway.close({ graceMs: 0 });
    await expect(client.kv.watch({ key: 'a' }).next()).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
  });

  test('C3 a gateway without a leader: the write goes to the next one, once', async () => {
    const log = new ReplicatedLog();
    const members = [new LocalMember(log), new LocalMember(log)] as const;
    const client = connect(await start(members[0]), await start(members[1]));
    members[0].failure = 'NO_LEADER';
    expect(await client.kv.increment('n')).toBe(1);
    members[1].failure = 'NO_QUORUM';
    await expect(client.kv.increment('n')).rejects.toMatchObject({
      outcome: 'not-applied',
      retryable: true,
    });
    members[0].failure = null;
    expect(await client.kv.increment('n')).toBe(2);
  });

  test('C3 a gateway that dies with the write in flight: COMMIT_UNKNOWN, never twice', async () => {
    const log = new ReplicatedLog();
    const first = new LocalMember(log);
    const second = new LocalMember(log);
    const gateway = await start({
      ...{ status: first.status, members: () => first.members(), leave: () => first.leave() },
      showRegister: () => first.showRegister(),
      restoreRegister: () => first.restoreRegister(),
      kv: Object.assign(Object.create(first.kv) as KeyValue, {
        increment: async (key: string, by?: number) => {
          await first.kv.increment(key, by);
          void gateway.close({ graceMs: 0 });
          return new Promise<never>(() => {});
        },
      }),
    } as unknown as LocalMember);
    const client = connect(gateway, await start(second));
    await expect(client.kv.increment('n')).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
    expect(await client.kv.get('n')).toBe(1);
  });

  test('status and members', async () => {
    const { member, client } = await one();
    expect(await client.status()).toMatchObject({ phase: 'ready', nodeId: member.status.nodeId });
    expect(await client.members()).toHaveLength(1);
  });
});

/** A result, or what a failure tells apart from its words. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return { result: await promise };
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return { code: 'BAD_REQUEST' };
    const { code, outcome: effect, details } = error as Record<string, unknown>;
    return code === 'BAD_REQUEST' ? { code } : { code, effect, details };
  }
}
