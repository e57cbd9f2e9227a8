/** What every Rendezvous does: hosts of one namespace find each other, and nobody else. */
import type { RegisterTest } from '../conformance-runner.ts';
import type { Announcement, Rendezvous } from '../rendezvous.ts';
import type { HostId } from '../transport.ts';
import { check, pause, until } from './network-checks.ts';

export type RendezvousWorld = {
  /** The rendezvous of a new host in a namespace. */
  join(namespace: string): Promise<{ readonly host: HostId; readonly rendezvous: Rendezvous }>;
  cleanup(): Promise<void>;
};

export type RendezvousConformance = {
  readonly test: RegisterTest;
  readonly create: () => Promise<RendezvousWorld>;
};

export function rendezvousConformance(options: RendezvousConformance): void {
  const { test, create } = options;
  const inWorld = (name: string, run: (world: RendezvousWorld) => Promise<void>): void => {
    test(`Rendezvous: ${name}`, async () => {
      const world = await create();
      try {
        await run(world);
      } finally {
        await world.cleanup();
      }
    });
  };
  const patience = (): AbortSignal => AbortSignal.timeout(10_000);
  /** Lists until the listing is as wanted: announcing answers nothing, so it may take a moment. */
  const listed = async (
    rendezvous: Rendezvous,
    wanted: (found: readonly Announcement[]) => boolean,
    text: string,
  ): Promise<void> => {
    for (let attempt = 0; attempt < 400; attempt += 1) {
      if (wanted(await rendezvous.list(patience()))) return;
      await pause(20);
    }
    check(false, text);
  };

  inWorld('list names the others with their addresses, not oneself', async (world) => {
    const a = await world.join('one');
    const b = await world.join('one');
    a.rendezvous.announce({ host: a.host, addresses: ['/a/1', '/a/2'] });
    await listed(
      b.rendezvous,
      (found) => found.length === 1 && found[0]?.host === a.host,
      'the other finds the announced host',
    );
    b.rendezvous.announce({ host: b.host, addresses: [] });
    await listed(
      a.rendezvous,
      (found) => found.length === 1 && found[0]?.host === b.host,
      'a listing leaves out who asks',
    );
    const [found] = await b.rendezvous.list(patience());
    check(found?.addresses.join() === '/a/1,/a/2', 'addresses keep their order');
  });

  inWorld('watch tells of hosts there before, newcomers and new addresses', async (world) => {
    const a = await world.join('one');
    const b = await world.join('one');
    const c = await world.join('one');
    a.rendezvous.announce({ host: a.host, addresses: ['/a/1'] });
    await listed(b.rendezvous, (found) => found.length === 1, 'the first is listed');
    const seen: Announcement[] = [];
    const stop = b.rendezvous.watch((announcement) => seen.push(announcement));
    const saw = (host: HostId, address: string): boolean =>
      seen.some((one) => one.host === host && one.addresses.includes(address));
    await until(() => saw(a.host, '/a/1'), 'a host announced before');
    c.rendezvous.announce({ host: c.host, addresses: ['/c/1'] });
    await until(() => saw(c.host, '/c/1'), 'a newcomer');
    a.rendezvous.announce({ host: a.host, addresses: ['/a/9'] });
    await until(() => saw(a.host, '/a/9'), 'a changed address');
    b.rendezvous.announce({ host: b.host, addresses: ['/b/1'] });
    await pause(200);
    check(!saw(b.host, '/b/1'), 'nobody is told of itself');
    stop();
    const count = seen.length;
    c.rendezvous.announce({ host: c.host, addresses: ['/c/2'] });
    await pause(200);
    check(seen.length === count, 'an ended watch stays silent');
  });

  inWorld(
    'Z41 the active cluster of a host is told, anew when it changes, and taken back',
    async (world) => {
      const a = await world.join('one');
      const b = await world.join('one');
      const cluster = { clusterId: 'ab'.repeat(16), generation: 3, label: 'shelf 2' };
      const isSame = (told: Announcement['cluster']): boolean =>
        told?.clusterId === cluster.clusterId &&
        told.generation === cluster.generation &&
        told.label === cluster.label;
      const seen: Announcement[] = [];
      b.rendezvous.watch((announcement) => seen.push(announcement));
      a.rendezvous.announce({ host: a.host, addresses: ['/a/1'] });
      await until(() => seen.length > 0, 'the host is seen');
      check(seen[0]?.cluster === undefined, 'it is a member of nothing');
      a.rendezvous.announce({ host: a.host, addresses: ['/a/1'], cluster });
      await until(() => seen.some((one) => isSame(one.cluster)), 'a watcher hears of the cluster');
      await listed(b.rendezvous, ([one]) => isSame(one?.cluster), 'so does a listing');
      a.rendezvous.announce({ host: a.host, addresses: ['/a/1'] });
      await listed(
        b.rendezvous,
        ([one]) => one !== undefined && one.cluster === undefined,
        'and that it is a member no more',
      );
    },
  );

  inWorld('namespaces are apart', async (world) => {
    const a = await world.join('one');
    const b = await world.join('two');
    const c = await world.join('one');
    const seen: Announcement[] = [];
    b.rendezvous.watch((announcement) => seen.push(announcement));
    a.rendezvous.announce({ host: a.host, addresses: ['/a/1'] });
    await listed(c.rendezvous, (found) => found.length === 1, 'its own namespace lists it');
    check((await b.rendezvous.list(patience())).length === 0, 'another namespace does not');
    check(seen.length === 0, 'nor is a watcher there told');
  });

  inWorld('close takes a host off the list', async (world) => {
    const a = await world.join('one');
    const b = await world.join('one');
    a.rendezvous.announce({ host: a.host, addresses: ['/a/1'] });
    await listed(b.rendezvous, (found) => found.length === 1, 'it is listed');
    await a.rendezvous.close();
    await listed(b.rendezvous, (found) => found.length === 0, 'it is not listed any more');
  });
}
