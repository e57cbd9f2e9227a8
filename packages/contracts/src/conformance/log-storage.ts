/**
 * The suite of the `LogStorage` contract. An adapter's test is one call; decorators run it again
 * over what they wrap. Cases that need a crash are registered only where the medium can have one.
 */
import type { RegisterTest } from '../conformance-runner.ts';
import type { Case, LogStorageMedium } from './log-storage-checks.ts';
import {
  batchOf,
  bytesOf,
  entriesOf,
  entryOf,
  hardStateOf,
  inPieces,
  joined,
  metaOf,
  nodeIdA,
  nodeIdB,
  nonceOf,
  openAndLoad,
  runOf,
  same,
  sameEntries,
} from './log-storage-checks.ts';
import { markCases } from './log-storage-marks.ts';
import { reserveCases } from './log-storage-reserve.ts';
import { secretCases } from './log-storage-secrets.ts';
import { check, rejectionOf } from './network-checks.ts';

export type LogStorageConformance = {
  readonly test: RegisterTest;
  /** An empty medium of its own for each case. */
  readonly create: () => Promise<LogStorageMedium>;
  /** Do the media that `create` makes have `crash`? */
  readonly crashes: boolean;
};

export function logStorageConformance({ test, create, crashes }: LogStorageConformance): void {
  const register = (name: string, run: (medium: LogStorageMedium) => Promise<void>): void => {
    test(`LogStorage ${name}`, async () => {
      const medium = await create();
      try {
        await run(medium);
      } finally {
        await medium.cleanup();
      }
    });
  };
  for (const [name, run] of cases) register(name, run);
  if (!crashes) return;
  for (const [name, run] of crashCases) {
    register(name, async (medium) => {
      const { crash } = medium;
      check(crash !== undefined, 'a medium with crash()');
      await run({ ...medium, crash: async () => crash.call(medium) });
    });
  }
}

type CrashingMedium = LogStorageMedium & { crash(): Promise<void> };

const identityCases: readonly Case[] = [
  [
    'open() makes a new replica with the given identity, epoch 1 and nonce (Z1)',
    async (medium) => {
      const { storage, run, log } = await openAndLoad(medium.storage(), 7);
      same(run, runOf(1, [7]), 'the first run');
      same(log.hardState, hardStateOf(0), 'hard state of a new replica');
      same(log.snapshot, null, 'snapshot of a new replica');
      same(log.entries, [], 'entries of a new replica');
      await storage.close();
    },
  ],
  [
    'open() keeps the identity, adds one to the epoch and takes the new nonce each time (Z1)',
    async (medium) => {
      for (let opening = 1; opening <= 5; opening += 1) {
        const storage = medium.storage();
        const newNodeId = opening === 1 ? nodeIdA : nodeIdB;
        const run = await storage.open({ create: opening < 3, newNodeId, nonce: nonceOf(opening) });
        const nonces = Array.from({ length: opening }, (_, at) => opening - at);
        same(run, runOf(opening, nonces), `run ${opening}`);
        // An opening that never loads or writes counts as much as any other.
        if (opening % 2 === 0) await storage.load();
        await storage.close();
      }
    },
  ],
  ...secretCases,
  [
    'open({ create: false }) on an empty medium is STORAGE_LOST and creates nothing (Z4)',
    async (medium) => {
      const options = { create: false, newNodeId: nodeIdA, nonce: nonceOf(1) };
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const storage = medium.storage();
        same(await rejectionOf(storage.open(options)), 'STORAGE_LOST', 'open without create');
        await storage.close();
      }
      const { storage, run } = await openAndLoad(medium.storage());
      same(run.epoch, 1, 'epoch of a replica that was created afterwards');
      await storage.close();
    },
  ],
  [
    'open() of a second storage is STORAGE_LOCKED until the first one closes (D6, Z2, Z5)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      const second = medium.storage();
      const options = { create: true, newNodeId: nodeIdB, nonce: nonceOf(2) };
      same(await rejectionOf(second.open(options)), 'STORAGE_LOCKED', 'second open');
      await second.close();
      // The refused opener disturbed nothing.
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 3)));
      await first.storage.close();
      const third = await openAndLoad(medium.storage(), 3);
      same(third.run.nodeId, nodeIdA, 'identity');
      sameEntries(third.log.entries, entriesOf(1, 1, 3));
      await third.storage.close();
    },
  ],
  [
    'open() of several storages at once lets exactly one of them in (D6, Z5)',
    async (medium) => {
      const storages = Array.from({ length: 5 }, () => medium.storage());
      const outcomes = await Promise.all(
        storages.map((storage, at) =>
          rejectionOf(storage.open({ create: true, newNodeId: nodeIdA, nonce: nonceOf(at + 1) })),
        ),
      );
      same(outcomes.filter((code) => code === null).length, 1, 'how many openers got in');
      same(outcomes.filter((code) => code === 'STORAGE_LOCKED').length, 4, 'how many were refused');
      for (const storage of storages) await storage.close();
      const { storage } = await openAndLoad(medium.storage(), 9);
      await storage.close();
    },
  ],
];

const logCases: readonly Case[] = [
  [
    'persist() keeps entries of every type, and load() returns them',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      const entries = [
        { term: 1, index: 1, type: 'membership', data: bytesOf(40) },
        { term: 1, index: 2, type: 'noop', data: new Uint8Array() },
        { term: 2, index: 3, type: 'normal', data: new Uint8Array([0, 255, 0]) },
      ] as const;
      await first.storage.persist(batchOf(1, entries));
      await first.storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      sameEntries(second.log.entries, entries);
      await second.storage.close();
    },
  ],
  [
    'persist() keeps the newest hard state, also from batches without entries (figure 2)',
    async (medium) => {
      const states = [
        hardStateOf(1, nodeIdA),
        hardStateOf(1, nodeIdA, 1),
        hardStateOf(2),
        hardStateOf(4_294_967_297, nodeIdB, 1),
        hardStateOf(Number.MAX_SAFE_INTEGER, null, 1),
      ];
      let storage = medium.storage();
      await openAndLoad(storage);
      for (const [at, hardState] of states.entries()) {
        await storage.persist(batchOf(1, at === 0 ? entriesOf(1, 1, 2) : [], hardState));
        await storage.close();
        storage = medium.storage();
        const { log } = await openAndLoad(storage, at + 2);
        same(log.hardState, hardState, `hard state ${at}`);
        sameEntries(log.entries, entriesOf(1, 1, 2));
      }
      await storage.close();
    },
  ],
  [
    'persist() carries batches out in call order, awaited or not, and close() waits for them (Z22)',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      const settled: number[] = [];
      const pending: Promise<void>[] = [];
      for (let number = 1; number <= 100; number += 1) {
        const entries = entriesOf(1, number * 3 - 2, number * 3 + 1);
        const batch = batchOf(number, entries, hardStateOf(number, nodeIdA, number));
        pending.push(storage.persist(batch).then(() => void settled.push(number)));
      }
      await storage.close();
      await Promise.all(pending);
      same(
        settled,
        Array.from({ length: 100 }, (_, at) => at + 1),
        'order of settling',
      );
      const second = await openAndLoad(medium.storage(), 2);
      sameEntries(second.log.entries, entriesOf(1, 1, 301));
      same(second.log.hardState, hardStateOf(100, nodeIdA, 100), 'hard state');
      await second.storage.close();
    },
  ],
  [
    'persist() replaces a stored suffix that the batch overlaps, in one opening and across (§5.3)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 11)));
      await Promise.all([
        first.storage.persist(batchOf(2, entriesOf(2, 6, 9))),
        first.storage.persist(batchOf(3, entriesOf(3, 8, 20))),
        first.storage.persist(batchOf(4, entriesOf(4, 8, 10))),
      ]);
      await first.storage.close();
      const wanted = [...entriesOf(1, 1, 6), ...entriesOf(2, 6, 8), ...entriesOf(4, 8, 10)];
      const second = await openAndLoad(medium.storage(), 2);
      sameEntries(second.log.entries, wanted);
      await second.storage.persist(batchOf(1, entriesOf(5, 1, 3)));
      await second.storage.close();
      const third = await openAndLoad(medium.storage(), 3);
      sameEntries(third.log.entries, entriesOf(5, 1, 3));
      await third.storage.close();
    },
  ],
  [
    'persist() keeps the order of indexes 1…1,000 (L14)',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      const pending: Promise<void>[] = [];
      for (let index = 1; index <= 1000; index += 1) {
        pending.push(storage.persist(batchOf(index, [entryOf(1, index)])));
        if (index % 90 === 0) await Promise.all(pending);
      }
      await Promise.all(pending);
      await storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      sameEntries(second.log.entries, entriesOf(1, 1, 1001));
      await second.storage.close();
    },
  ],
  [
    'persist() keeps the order of indexes and terms around 2^32 (L14)',
    async (medium) => {
      const around = 2 ** 32;
      const { storage } = await openAndLoad(medium.storage());
      await storage.saveSnapshot(metaOf(around - 20, around - 20), [bytesOf(10)]);
      for (let index = around - 19; index < around + 20; index += 1) {
        await storage.persist(batchOf(index - around + 20, [entryOf(index, index)]));
      }
      await storage.persist(batchOf(40, [entryOf(around * 1000, around + 10)]));
      await storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      const wanted = Array.from({ length: 29 }, (_, at) => around - 19 + at);
      sameEntries(second.log.entries, [
        ...wanted.map((index) => entryOf(index, index)),
        entryOf(around * 1000, around + 10),
      ]);
      same(second.log.snapshot, metaOf(around - 20, around - 20), 'snapshot');
      await second.storage.close();
    },
  ],
  [
    'persist() keeps an entry of 1.5 MiB between small ones',
    async (medium) => {
      const entries = [entryOf(1, 1), entryOf(1, 2, 1_572_864), entryOf(1, 3)];
      const { storage } = await openAndLoad(medium.storage());
      await storage.persist(batchOf(1, entries));
      await storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      same(second.log.entries.length, 3, 'how many entries');
      const large = second.log.entries[1]?.data ?? new Uint8Array();
      const wanted = entries[1]?.data ?? new Uint8Array();
      check(large.length === wanted.length, 'the large entry has its length');
      check(
        large.every((byte, at) => byte === wanted[at]),
        'the large entry has its bytes',
      );
      await second.storage.close();
    },
  ],
  [
    'persist() rejects a batch that leaves a gap, and every call after it',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.persist(batchOf(1, entriesOf(1, 1, 4)));
      check(
        (await rejectionOf(storage.persist(batchOf(2, [entryOf(1, 5)])))) !== null,
        'a refusal',
      );
      check((await rejectionOf(storage.persist(batchOf(2, [entryOf(1, 4)])))) !== null, 'another');
      await storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      sameEntries(second.log.entries, entriesOf(1, 1, 4));
      await second.storage.close();
    },
  ],
];

const snapshotCases: readonly Case[] = [
  [
    'saveSnapshot() keeps meta and bytes across openings; readSnapshot() is null before it',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      same(await first.storage.readSnapshot(), null, 'snapshot of a new replica');
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 11)));
      const bytes = bytesOf(700_001);
      await first.storage.saveSnapshot(metaOf(1, 10), inPieces(bytes, 9_999));
      for (let opening = 2; opening <= 3; opening += 1) {
        if (opening === 2) await first.storage.close();
        const { storage, log } = await openAndLoad(medium.storage(), opening);
        same(log.snapshot, metaOf(1, 10), 'meta in the loaded log');
        const snapshot = await storage.readSnapshot();
        check(snapshot !== null, 'a snapshot');
        same(snapshot.meta, metaOf(1, 10), 'meta');
        const read = await joined(snapshot.chunks);
        check(read.length === bytes.length, 'the length of the snapshot');
        check(
          read.every((byte, at) => byte === bytes[at]),
          'the bytes of the snapshot',
        );
        await storage.close();
      }
    },
  ],
  [
    'saveSnapshot() takes empty snapshots and synchronous chunks',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.saveSnapshot(metaOf(1, 1), []);
      const empty = await storage.readSnapshot();
      same(empty === null ? null : await joined(empty.chunks), bytesOf(0), 'empty snapshot');
      await storage.saveSnapshot(metaOf(1, 2), [bytesOf(3), bytesOf(0), bytesOf(4)]);
      const joint = await storage.readSnapshot();
      same(joint === null ? 0 : (await joined(joint.chunks)).length, 7, 'snapshot of three chunks');
      await storage.close();
    },
  ],
  [
    'saveSnapshot() keeps the log when it holds the entry of the snapshot (§7)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(2, 1, 21), hardStateOf(3, nodeIdA, 12)));
      await first.storage.saveSnapshot(metaOf(2, 10), inPieces(bytesOf(50)));
      await first.storage.persist(batchOf(2, entriesOf(3, 21, 25), hardStateOf(3, nodeIdA, 20)));
      await first.storage.close();
      const { storage, log } = await openAndLoad(medium.storage(), 2);
      const kept = [...entriesOf(2, 1, 21), ...entriesOf(3, 21, 25)];
      const firstIndex = log.entries[0]?.index ?? 0;
      check(firstIndex >= 1 && firstIndex <= 11, 'the log reaches back to the snapshot');
      sameEntries(log.entries, kept.slice(firstIndex - 1));
      same(log.hardState, hardStateOf(3, nodeIdA, 20), 'hard state');
      await storage.close();
    },
  ],
  [
    'saveSnapshot() drops a log that contradicts it whole, and keeps the vote (§7, figure 2)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(2, 1, 21), hardStateOf(5, nodeIdB, 3)));
      await first.storage.saveSnapshot(metaOf(4, 10), inPieces(bytesOf(50)));
      await first.storage.close();
      const second = await openAndLoad(medium.storage(), 2);
      same(second.log.entries, [], 'entries');
      same(second.log.snapshot, metaOf(4, 10), 'snapshot');
      same(second.log.hardState.currentTerm, 5, 'term');
      same(second.log.hardState.votedFor, nodeIdB, 'vote');
      await second.storage.persist(batchOf(1, entriesOf(5, 11, 14), hardStateOf(5, nodeIdB, 11)));
      await second.storage.close();
      const third = await openAndLoad(medium.storage(), 3);
      sameEntries(third.log.entries, entriesOf(5, 11, 14));
      await third.storage.close();
    },
  ],
  [
    'saveSnapshot() drops a log that it outruns, in call order with the batches around it (Z22)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await Promise.all([
        first.storage.persist(batchOf(1, entriesOf(1, 1, 6))),
        first.storage.saveSnapshot(metaOf(2, 100), inPieces(bytesOf(5_000))),
        first.storage.persist(batchOf(2, entriesOf(3, 101, 104))),
        first.storage.saveSnapshot(metaOf(3, 102), inPieces(bytesOf(6_000))),
        first.storage.persist(batchOf(3, entriesOf(4, 104, 107))),
      ]);
      await first.storage.close();
      const { storage, log } = await openAndLoad(medium.storage(), 2);
      same(log.snapshot, metaOf(3, 102), 'snapshot');
      const all = [...entriesOf(3, 101, 104), ...entriesOf(4, 104, 107)];
      const firstIndex = log.entries[0]?.index ?? 0;
      check(firstIndex === 101 || firstIndex === 103, 'the log begins after the first snapshot');
      sameEntries(log.entries, all.slice(firstIndex - 101));
      await storage.close();
    },
  ],
  [
    'saveSnapshot() ignores a snapshot older than the stored one',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 31)));
      await first.storage.saveSnapshot(metaOf(1, 20), [bytesOf(20)]);
      await first.storage.saveSnapshot(metaOf(1, 19), [bytesOf(19)]);
      const snapshot = await first.storage.readSnapshot();
      same(snapshot?.meta.index, 20, 'the snapshot that is left');
      same(snapshot === null ? null : await joined(snapshot.chunks), bytesOf(20), 'its bytes');
      await first.storage.close();
      const { storage, log } = await openAndLoad(medium.storage(), 2);
      same(log.snapshot, metaOf(1, 20), 'the snapshot after a restart');
      same(log.entries.at(-1)?.index, 30, 'last entry');
      await storage.close();
    },
  ],
  [
    'saveSnapshot() whose source fails leaves the old snapshot and a working log',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 31)));
      await first.storage.saveSnapshot(metaOf(1, 5), [bytesOf(5)]);
      const broken = (async function* () {
        yield bytesOf(100_000);
        throw new Error('the stream broke');
      })();
      check(
        (await rejectionOf(first.storage.saveSnapshot(metaOf(1, 9), broken))) !== null,
        'a refusal',
      );
      const snapshot = await first.storage.readSnapshot();
      same(snapshot?.meta, metaOf(1, 5), 'the snapshot that is left');
      await first.storage.persist(batchOf(2, entriesOf(1, 31, 33)));
      await first.storage.close();
      const { storage, log } = await openAndLoad(medium.storage(), 2);
      same(log.snapshot, metaOf(1, 5), 'the snapshot after a restart');
      same(log.entries.at(-1)?.index, 32, 'last entry');
      await storage.close();
    },
  ],
  [
    'readSnapshot() chunks stay readable while a newer snapshot is saved',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.persist(batchOf(1, entriesOf(1, 1, 31)));
      const bytes = bytesOf(900_000, 5);
      await storage.saveSnapshot(metaOf(1, 10), inPieces(bytes, 50_000));
      const old = await storage.readSnapshot();
      check(old !== null, 'a snapshot');
      await storage.saveSnapshot(metaOf(1, 20), inPieces(bytesOf(800_000, 6), 50_000));
      await storage.compact(20);
      const read = await joined(old.chunks);
      check(read.length === bytes.length, 'the old snapshot has its length');
      check(
        read.every((byte, at) => byte === bytes[at]),
        'the old snapshot has its bytes',
      );
      same((await storage.readSnapshot())?.meta.index, 20, 'the newer snapshot');
      await storage.close();
    },
  ],
  [
    'compact() loses nothing behind the index, and nothing of the hard state',
    async (medium) => {
      let storage = medium.storage();
      await openAndLoad(storage);
      for (let round = 1; round <= 5; round += 1) {
        const from = (round - 1) * 100 + 1;
        await storage.persist(
          batchOf(1, entriesOf(round, from, from + 100), hardStateOf(round, nodeIdB, from + 90)),
        );
        await storage.saveSnapshot(metaOf(round, from + 80), [bytesOf(100, round)]);
        await storage.compact(from + 70);
        await storage.close();
        storage = medium.storage();
        const { log } = await openAndLoad(storage, round + 1);
        same(log.hardState, hardStateOf(round, nodeIdB, from + 90), 'hard state');
        same(log.entries.at(-1), entryOf(round, from + 99), 'last entry');
        const firstIndex = log.entries[0]?.index ?? 0;
        check(firstIndex >= 1 && firstIndex <= from + 71, 'entries behind the index are there');
        for (const [at, { index }] of log.entries.entries()) {
          check(index === firstIndex + at, 'entries are consecutive');
        }
      }
      await storage.close();
    },
  ],
  [
    'compact() past the snapshot is refused',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.persist(batchOf(1, entriesOf(1, 1, 31)));
      await storage.saveSnapshot(metaOf(1, 10), [bytesOf(5)]);
      check((await rejectionOf(storage.compact(11))) !== null, 'a refusal');
      await storage.close();
    },
  ],
];

const endingCases: readonly Case[] = [
  [
    'readCache() is null at first, then what was written last',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      same(await first.storage.readCache(), null, 'cache of a new replica');
      await first.storage.writeCache(bytesOf(300));
      await first.storage.writeCache(bytesOf(200, 2));
      same(await first.storage.readCache(), bytesOf(200, 2), 'cache');
      await first.storage.close();
      const { storage } = await openAndLoad(medium.storage(), 2);
      same(await storage.readCache(), bytesOf(200, 2), 'cache after a restart');
      await storage.close();
    },
  ],
  [
    'archive() puts the replica aside for good; the next one is new (Z7)',
    async (medium) => {
      for (let round = 1; round <= 2; round += 1) {
        const storage = medium.storage();
        const newNodeId = round === 1 ? nodeIdA : nodeIdB;
        const run = await storage.open({ create: true, newNodeId, nonce: nonceOf(round) });
        same(run, { ...runOf(1, [round]), nodeId: newNodeId }, 'a new replica');
        const log = await storage.load();
        same(log.entries, [], 'its entries');
        same(log.snapshot, null, 'its snapshot');
        same(log.hardState, hardStateOf(0), 'its hard state');
        same(await storage.readCache(), null, 'its cache');
        await storage.persist(batchOf(1, entriesOf(1, 1, 5), hardStateOf(7, nodeIdB)));
        await storage.saveSnapshot(metaOf(1, 3), [bytesOf(30)]);
        await storage.writeCache(bytesOf(5));
        // Twice under one label: the first archive stays.
        await storage.archive('sealed');
        same(await rejectionOf(storage.persist(batchOf(2, []))), 'CLOSED', 'persist() afterwards');
      }
      const last = medium.storage();
      const options = { create: false, newNodeId: nodeIdA, nonce: nonceOf(3) };
      same(await rejectionOf(last.open(options)), 'STORAGE_LOST', 'open without create');
      await last.close();
    },
  ],
  [
    'destroy() erases the replica and closes; the next one is new',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 5), hardStateOf(7, nodeIdB)));
      await first.storage.saveSnapshot(metaOf(1, 3), [bytesOf(30)]);
      await first.storage.writeCache(bytesOf(5));
      await first.storage.destroy();
      same(await rejectionOf(first.storage.readCache()), 'CLOSED', 'readCache() afterwards');
      const lost = medium.storage();
      const options = { create: false, newNodeId: nodeIdB, nonce: nonceOf(2) };
      same(await rejectionOf(lost.open(options)), 'STORAGE_LOST', 'open without create');
      await lost.close();
      const storage = medium.storage();
      const run = await storage.open({ ...options, create: true });
      same(run, { ...runOf(1, [2]), nodeId: nodeIdB }, 'the new replica');
      const log = await storage.load();
      same(log, { hardState: hardStateOf(0), snapshot: null, entries: [] }, 'its log');
      same(await storage.readCache(), null, 'its cache');
      await storage.close();
    },
  ],
  [
    'close() is idempotent, and every call after it is CLOSED',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await Promise.all([storage.close(), storage.close()]);
      await storage.close();
      const calls: readonly (() => Promise<unknown>)[] = [
        () => storage.persist(batchOf(1, [])),
        () => storage.saveSnapshot(metaOf(1, 1), []),
        () => storage.readSnapshot(),
        () => storage.compact(0),
        () => storage.readCache(),
        () => storage.writeCache(bytesOf(1)),
        () => storage.archive('late'),
        () => storage.destroy(),
      ];
      for (const call of calls) same(await rejectionOf(call()), 'CLOSED', 'a call after close()');
      const unopened = medium.storage();
      await unopened.close();
    },
  ],
];

const cases: readonly Case[] = [
  ...identityCases,
  ...markCases,
  ...reserveCases,
  ...logCases,
  ...snapshotCases,
  ...endingCases,
];

const crashCases: readonly (readonly [string, (medium: CrashingMedium) => Promise<void>])[] = [
  [
    'open() bumps the epoch durably: a crash right after it uses it up (Z1)',
    async (medium) => {
      for (let opening = 1; opening <= 4; opening += 1) {
        const { run } = await openAndLoad(medium.storage(), opening);
        same(run.epoch, opening, 'epoch');
        await medium.crash();
      }
    },
  ],
  [
    'persist() survives a crash once it resolved, batches under way are there whole or not at all (Z22)',
    async (medium) => {
      let acknowledged = 0;
      for (let round = 1; round <= 12; round += 1) {
        const { storage, log } = await openAndLoad(medium.storage(), round);
        const { entries, hardState } = log;
        const lastIndex = entries.length;
        check(lastIndex >= acknowledged * 3, 'every acknowledged batch is there');
        same(lastIndex % 3, 0, 'entries beyond the last whole batch');
        sameEntries(entries, entriesOf(1, 1, lastIndex + 1));
        same(hardState.commitIndex, lastIndex, 'hard state comes with its batch');
        const pending: Promise<void>[] = [];
        for (let number = 1; number <= 4; number += 1) {
          const from = lastIndex + number * 3 - 2;
          const entries = entriesOf(1, from, from + 3);
          pending.push(storage.persist(batchOf(number, entries, hardStateOf(1, null, from + 2))));
        }
        const awaited = round % 5;
        for (const one of pending.slice(0, awaited)) await one;
        for (const one of pending.slice(awaited)) one.catch(() => {});
        acknowledged = lastIndex / 3 + awaited;
        await medium.crash();
      }
    },
  ],
  [
    'saveSnapshot() leaves the old or the new snapshot after a crash, with a log that fits (S3)',
    async (medium) => {
      let opening = 0;
      let stored = 0;
      for (const crashAfterChunks of [0, 1, 2, 5, 9, 10, 11]) {
        opening += 1;
        const index = opening * 100;
        const { storage } = await openAndLoad(medium.storage(), opening);
        await storage.persist(batchOf(1, entriesOf(1, stored + 1, stored + 4)));
        const crashed = new Promise<void>((resolve) => {
          const source = (async function* () {
            for (let chunk = 0; chunk < 10; chunk += 1) {
              if (chunk === crashAfterChunks) resolve();
              yield bytesOf(40_000, index + chunk);
            }
            if (crashAfterChunks === 10) resolve();
          })();
          const saving = storage.saveSnapshot(metaOf(opening * 10, index), source);
          saving.then(resolve, resolve);
        });
        await crashed;
        await medium.crash();
        opening += 1;
        const after = await openAndLoad(medium.storage(), opening);
        const found = after.log.snapshot?.index ?? 0;
        check(found === stored || found === index, 'the old or the new snapshot');
        if (crashAfterChunks > 10) same(found, index, 'a snapshot that was acknowledged');
        if (found === index) {
          same(after.log.entries, [], 'the log under a snapshot that outran it');
          const snapshot = await after.storage.readSnapshot();
          const read = snapshot === null ? bytesOf(0) : await joined(snapshot.chunks);
          check(read.length === 400_000, 'the whole snapshot');
        } else {
          sameEntries(after.log.entries, entriesOf(1, stored + 1, stored + 4));
        }
        stored = found;
        await after.storage.close();
      }
    },
  ],
];
