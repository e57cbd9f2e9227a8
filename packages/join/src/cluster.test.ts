import { describe, expect, test } from 'vitest';
import type { ClusterStatus } from '@quorate/cluster';
import type { KvStateMachine } from '@quorate/kv';
import { ClusterCore, ClusterHandle } from './cluster.ts';
import { inertStatus } from './inert-status.ts';
import type { Runner } from './runner.ts';

/** A handle over a member that is what this says, with a state of its own. */
class Puppet {
  status: ClusterStatus = inertStatus('test', 'puppet');
  machine!: KvStateMachine;
  readonly core: ClusterCore;

  constructor() {
    this.core = new ClusterCore({ namespace: 'test', label: 'puppet' }, (_, machine) => {
      this.machine = machine;
      const of = (): ClusterStatus => this.status;
      const runner = {
        get status() {
          return of();
        },
        subscribe: () => () => {},
        start: async () => {},
      };
      return { runner: runner as unknown as Runner, peerId: () => null, addresses: () => [] };
    });
  }

  /** In a cluster, as a member of it or not yet. */
  is(clusterId: string | null, isMember: boolean, archived?: string): void {
    const self = { nodeId: 'a', label: 'puppet', self: true } as ClusterStatus['members'][number];
    this.status = {
      ...inertStatus('test', 'puppet'),
      clusterId,
      phase: isMember ? 'ready' : 'joining',
      members: isMember ? [self] : [],
      raft: { ...this.status.raft, appliedIndex: isMember ? 5 : 0 },
      ...(archived === undefined ? {} : { archived: { clusterId: archived, generation: 1 } }),
    };
  }
}

const local = { consistency: 'local' } as const;

describe('ClusterCore', () => {
  test('T6 Z52 a member that archived itself reads nothing locally until it is one again', async () => {
    const puppet = new Puppet();
    const { kv } = puppet.core;
    puppet.is('one', true);
    expect(await kv.get('a', local)).toBeUndefined();
    expect(kv.live('a').getSnapshot()).toMatchObject({ loaded: true, stale: false });
    // Between two clusters, and while it catches up in the next.
    for (const clusterId of [null, 'two']) {
      puppet.is(clusterId, false, 'one');
      await expect(kv.get('a', local)).rejects.toMatchObject({
        outcome: 'not-applied',
        message: expect.stringContaining('has not joined yet') as string,
      });
      const { value, loaded, stale } = kv.live('a').getSnapshot();
      expect({ value, loaded, stale }).toEqual({ value: undefined, loaded: true, stale: true });
    }
    puppet.is('two', true, 'one');
    expect(await kv.get('a', local)).toBeUndefined();
    // A page that comes back shows what it had.
    puppet.is(null, false, 'one');
    expect(await kv.get('a', local)).toBeUndefined();
    puppet.is('three', false, 'two');
    await expect(kv.get('a', local)).rejects.toThrow('has not joined yet');
  });

  test('T31 gives one snapshot until something changes that a person could see', () => {
    const puppet = new Puppet();
    const cluster = new ClusterHandle(puppet.core, () => puppet.core.close());
    const { getSnapshot } = cluster;
    puppet.is('one', true);
    const shown = getSnapshot();
    const [self] = puppet.status.members;
    puppet.status = {
      ...puppet.status,
      members: [{ ...self, matchIndex: 9, roundTripMs: 3 } as typeof self & object],
      raft: { ...puppet.status.raft, commitIndex: 9, lastIndex: 9, counters: { elections: 1 } },
    };
    expect(getSnapshot()).toBe(shown);
    expect(cluster.status.raft.commitIndex).toBe(9);
    for (const change of [
      { phase: 'read-only' },
      { pendingWrites: 1 },
      { members: [{ ...self, reachable: false }] },
      { raft: { ...puppet.status.raft, term: 7 } },
    ] as Partial<ClusterStatus>[]) {
      const before = getSnapshot();
      puppet.status = { ...puppet.status, ...change };
      expect(getSnapshot()).not.toBe(before);
      expect(getSnapshot()).toBe(getSnapshot());
    }
  });

  test('T31 what a server renders is the same there and in a page, and no sentence for developers', () => {
    const puppet = new Puppet();
    const page = new ClusterHandle(puppet.core, () => puppet.core.close());
    const inert = new ClusterCore({ namespace: 'test', label: 'server' }, null);
    const server = new ClusterHandle(inert, () => inert.close());
    puppet.is('one', true);
    expect(page.getServerSnapshot()).toEqual(server.getServerSnapshot());
    expect(page.getServerSnapshot()).toBe(page.getServerSnapshot());
    expect(server.getServerSnapshot()).toMatchObject({ phase: 'starting', message: 'Starting' });
    expect(server.kv.live('a').getServerSnapshot()).toEqual(page.kv.live('a').getServerSnapshot());
  });

  test('T31 methods can be taken apart, and `await using` closes', async () => {
    const puppet = new Puppet();
    let released = 0;
    const open = (): ClusterHandle =>
      new ClusterHandle(puppet.core, async () => {
        released += 1;
      });
    const { subscribe, explain, members, counter, close, kv } = open();
    const seen: string[] = [];
    subscribe(({ label }) => seen.push(label));
    expect([seen, explain(), members()]).toEqual([['puppet'], expect.any(String), []]);
    expect(counter('a')).toBe(kv.counter('a'));
    await close();
    expect(released).toBe(1);
    {
      await using cluster = open();
      expect(cluster.namespace).toBe('test');
    }
    expect(released).toBe(2);
  });
});
