/**
 * A world in which a cluster is backed up while it works, lost, and restored as a later generation
 * while members of before come back (Z43, Z50, Z52); and then, perhaps, all of it once more.
 */
import { isQuorateError } from '@quorate/contracts';
import type { Cipher } from '@quorate/contracts';
import { SignedRuns } from '@quorate/cluster/signed';
import { createPlainCipher, createPlainSigner } from '@quorate/contracts/memory';
import { factsFromCbor, readClaim, takeName, writeRestored } from '@quorate/cluster/restoring';
import type { ClaimRecord } from '@quorate/cluster/restoring';
import type { NodeId } from '@quorate/core';
import { backupChunks, inGeneration, readContainer, rebased, sourceOf } from '@quorate/kv/backup';
import type { BackupSource } from '@quorate/kv/backup';
import { EventHash } from './event-hash.ts';
import { override } from './overrides.ts';
import { Prng } from './prng.ts';
import { RestoreLedger, counterKey, receiptPrefix } from './restore-ledger.ts';
import { drawRestoreWeather } from './restore-weather.ts';
import type { RestoreWeather } from './restore-weather.ts';
import { SimHost } from './sim-host.ts';
import type { SimHostWorld, SimProcess } from './sim-host.ts';
import { StateReport } from './state-report.ts';
import { checkOf, describeFailure, isOn, violated } from './violation.ts';
import { ProcessClock, VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualRegister } from './virtual-register.ts';
import type { WorldOptions, WorldResult } from './world.ts';

const healMs = 180_000;
const worldMs = 1_200_000;

export async function runRestoreWorld(options: WorldOptions): Promise<WorldResult> {
  const world = new RestoreWorld(options);
  const onStray = (error: unknown): void => world.fail(error);
  process.on('unhandledRejection', onStray);
  try {
    await world.run();
  } catch (error) {
    world.fail(error);
  } finally {
    process.off('unhandledRejection', onStray);
  }
  return world.result();
}

/** What a file holds, and what was known when it was made. */
type Backup = {
  readonly source: BackupSource;
  readonly bytes: Uint8Array;
};

class RestoreWorld implements SimHostWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  readonly signedRuns: SignedRuns = new SignedRuns(createPlainSigner());
  readonly weather: RestoreWeather;
  readonly hosts: SimHost[] = [];
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #hash = new EventHash();
  readonly #report: StateReport;
  readonly #ledger = new RestoreLedger();
  readonly #counts: Record<string, number> = {};
  /** Replicas of clusters that are lost. */
  readonly #lost = new Set<NodeId>();
  /** Machines of those who restore, also of those who came too late: no name comes twice. */
  #restoreCount = 0;
  #isWorking = false;
  #isOver = false;
  #failure: Error | null = null;

  constructor(options: WorldOptions) {
    this.#seed = options.seed;
    this.#prng = new Prng(options.seed);
    const drawn = drawRestoreWeather(this.#prng.fork('weather'), options.members);
    this.weather = override(drawn, options.weather);
    this.#report = new StateReport(this.clock, options);
    const { weather, clock } = this;
    this.cipher = createPlainCipher({ namespace: 'simulation', strict: true });
    this.network = new VirtualNetwork({
      clock,
      prng: this.#prng.fork('network'),
      conditions: { ...weather.network },
      tap: { delivered: (from, to, channel) => this.note(`${channel} ${from} ${to}`) },
    });
    this.register = new VirtualRegister({
      clock,
      prng: this.#prng.fork('register'),
      conditions: { ...weather.register },
    });
    for (let i = 1; i <= weather.hostCount; i++) this.#addHost(`host-${i}`);
  }

  async run(): Promise<void> {
    this.#report.world(JSON.stringify(this.weather));
    this.#script().then(
      () => {
        this.#isOver = true;
      },
      (error: unknown) => this.fail(error),
    );
    const { clientsPerHost, hostCount } = this.weather;
    for (let i = 0; i < clientsPerHost * hostCount; i++) {
      this.#client(this.#prng.fork(`client ${i}`)).catch((error: unknown) => this.fail(error));
    }
    await this.clock.run(worldMs, () => this.#isOver || this.#failure !== null);
    if (!this.#isOver && this.#failure === null) violated('healthy-again', 'it has no end');
  }

  result(): WorldResult {
    for (const host of this.hosts) host.crash();
    const failure = this.#failure;
    return {
      seed: this.#seed,
      suite: 'restore',
      check: failure === null ? null : checkOf(failure),
      failure: failure === null ? null : describeFailure(failure),
      weather: this.weather,
      eventHash: this.#hash.digest(),
      virtualMs: this.clock.now(),
      memberCount: this.hosts.length,
      eventCount: this.clock.eventCount,
      counts: this.#counts,
    };
  }

  fail(error: unknown): void {
    if (!isOn(checkOf(error))) return;
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  // What hosts ask of their world: nobody follows logs here.

  checkerOf(): null {
    return null;
  }

  modelOf(): null {
    return null;
  }

  enrol(): null {
    return null;
  }

  forget(): void {
    // Nor counts replicas.
  }

  changed(process: SimProcess): void {
    const { phase, reason, message } = process.member.status;
    if (phase !== 'stopped' || process.host.process !== process) return;
    this.guard(() => violated('stopped', `${process.host.id} stopped: ${reason}: ${message}`));
  }

  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error);
    }
  }

  // What happens.

  async #script(): Promise<void> {
    for (const host of this.hosts) host.start();
    await this.#healthy(1, 0);
    this.#isWorking = true;
    await this.#pause(this.#prng.between(0.2, 1) * this.weather.stormMs);
    const backup = await this.#backUp();
    await this.#pause(this.#prng.between(200, this.weather.stormMs));
    await this.#loseAndRestore(backup);
    if (this.#prng.chance(this.weather.againChance)) await this.#loseAndRestore(backup);
  }

  /** Taken while everybody writes, and read while they go on. */
  async #backUp(): Promise<Backup> {
    for (;;) {
      const { member, machine, host } = await this.#anybody();
      const lags = this.#prng.chance(this.weather.lagChance);
      if (lags) this.#hang(host);
      await this.#pause(this.#prng.between(50, 400));
      const { floor } = this.#ledger;
      let source: BackupSource;
      try {
        const captured = await member.capture(() => machine.store.capture());
        source = sourceOf(captured, { at: 'then', from: host.id });
      } catch (error) {
        if (!isQuorateError(error)) throw error;
        this.#count('refused captures');
        continue;
      }
      this.#count(lags ? 'captures of who lags' : 'captures');
      this.note(`captured ${source.state.revision}`);
      this.#ledger.captured(source, floor);
      const parts: Uint8Array[] = [];
      for (const chunk of backupChunks(source)) {
        parts.push(chunk.slice());
        await this.#pause(20);
      }
      // Whatever was written meanwhile moved nothing of it.
      this.#ledger.captured(source, floor);
      return { source, bytes: Buffer.concat(parts) };
    }
  }

  async #loseAndRestore(backup: Backup): Promise<void> {
    for (const host of this.hosts) {
      if (host.nodeId !== null) this.#lost.add(host.nodeId);
      host.crash();
      host.disk.hung = false;
    }
    this.note('all is lost');
    await this.#pause(this.#prng.between(100, 3_000));
    const peopleCount = this.#prng.chance(this.weather.twoRestoreChance) ? 2 : 1;
    const before = [...this.hosts];
    const seen = await this.#readName(before[0] as SimHost);
    const people = Array.from({ length: peopleCount }, () => this.#restore(backup, seen));
    const generations = (await Promise.all(people)).flatMap((one) => (one === null ? [] : [one]));
    const [generation] = generations;
    if (generation === undefined) throw new Error('Nobody could restore');
    this.#count('restores');
    for (const host of before) this.#comeBack(host);
    await this.#healthy(generation, this.weather.hostCount + 1);
    await this.#pause(this.#prng.between(500, 3_000));
    await this.#checkEnd(backup, generation);
  }

  /** With what it had, or as somebody new. */
  #comeBack(host: SimHost): void {
    if (this.#prng.chance(this.weather.wipeChance)) {
      host.disk.wipe();
      this.#count('wiped disks');
    } else {
      this.#count('members of before');
    }
    this.#later(this.#prng.between(0, this.#prng.pick([100, 15_000])), () => {
      this.note(`start ${host.id}`);
      host.start();
    });
  }

  /** What the register says to whoever is about to restore. */
  async #readName(host: SimHost): Promise<ClaimRecord | null> {
    const register = this.register.client(host.id, new ProcessClock(this.clock));
    return (await readClaim(register, new AbortController().signal)).record;
  }

  /** As `restoreBackup` does, on a machine of its own. Null: somebody else took the name. */
  async #restore({ source, bytes }: Backup, seen: ClaimRecord | null): Promise<number | null> {
    this.#restoreCount += 1;
    const host = this.#addHost(`restored-${this.#restoreCount}`);
    const clock = new ProcessClock(this.clock);
    const register = this.register.client(host.id, clock);
    const generation = Math.max(source.info.generation, seen?.claim.generation ?? 0) + 1;
    const clusterId = this.#prng.hex(16);
    const random = (count: number): Uint8Array => this.#prng.bytes(count);
    const { nodeId: founder, key } = this.weather.hasKeys
      ? this.signedRuns.create(random)
      : { nodeId: this.#prng.hex(16), key: undefined };
    const { revision, keys } = source.info;
    const { blocks } = await readContainer(inPieces(bytes));
    const facts = { label: host.id, durable: true, runtime: 'node', domain: '' } as const;
    await writeRestored(
      host.disk.storage(clock),
      {
        facts: factsFromCbor(source.facts),
        clusterId,
        generation,
        register: register.group,
        founder: {
          nodeId: founder,
          ...(key === undefined ? {} : { key }),
          facts: { ...facts, mayVote: true },
        },
        machine: rebased(blocks, { keys, revision }, generation),
      },
      { random, topics: [this.cipher.topic] },
    );
    await this.#pause(this.#prng.between(0, 50));
    const successor = { clusterId, generation, founder };
    try {
      await takeName(register, seen, successor, new AbortController().signal);
    } catch (error) {
      if (!isQuorateError(error, 'CONFLICT')) throw error;
      this.#count('restores too late');
      this.hosts.splice(this.hosts.indexOf(host), 1);
      return null;
    }
    this.note(`restored ${host.id}`);
    this.#ledger.taken(generation, this.clock.now());
    host.start();
    return generation;
  }

  async #checkEnd({ source }: Backup, generation: number): Promise<void> {
    this.#isWorking = false;
    // Whatever is under way comes to its end.
    await this.#pause(2 * this.weather.writeTimeoutMs);
    for (const { id, process, disk } of this.hosts) {
      if (process === null) continue;
      const { kv, member } = process;
      const { entries } = await kv.range({ prefix: receiptPrefix });
      this.#ledger.checkEnd(id, entries, (await kv.get<number>(counterKey)) ?? 0);
      const { nodeId, raft, members, archived } = member.status;
      if (raft.time < source.info.time) {
        violated(
          'backup',
          `${id} is at time ${raft.time}, the backup at ${source.info.time} (Z52)`,
        );
      }
      const again = [nodeId, ...members.map((one) => one.nodeId)].find(
        (one) => one != null && this.#lost.has(one),
      );
      if (again !== undefined) violated('generation', `${id} knows ${again} of before (Z52)`);
      if (archived === undefined || disk.archives.length > 0) continue;
      violated('generation', `${id} says that it archived what it had, and did not (Z52)`);
    }
    const first = this.hosts[0]?.process;
    const revision = inGeneration(source.info.revision, generation);
    if (first != null && first.machine.store.revision < revision) {
      violated('generation', `generation ${generation} begins before ${revision} (Z50)`);
    }
    this.#isWorking = true;
  }

  async #client(prng: Prng): Promise<void> {
    while (!this.#isOver) {
      await this.#pause(prng.between(0.2, 1.8) * this.weather.thinkMs);
      const ready = this.#ready();
      if (!this.#isWorking || ready.length === 0) continue;
      const process = prng.pick(ready);
      const number = this.#ledger.called();
      const call = process.kv.batch([
        { type: 'increment', key: counterKey },
        { type: 'put', key: `${receiptPrefix}${number}`, value: number },
      ]);
      const told = call.then(
        ({ revision }) => {
          this.#count('acknowledged');
          const { atMs } = process.began;
          this.#ledger.acknowledged(number, revision, atMs, this.clock.now());
        },
        (error: unknown) => {
          if (!isQuorateError(error)) throw error;
          if (error.outcome === 'not-applied') this.#ledger.notApplied(number);
        },
      );
      told.catch((error: unknown) => this.fail(error));
      await Promise.race([told.catch(() => undefined), this.#pause(this.weather.writeTimeoutMs)]);
    }
  }

  /** One cluster of `generation`, everybody in it. */
  async #healthy(generation: number, hostCountMin: number): Promise<void> {
    const deadline = this.clock.now() + healMs;
    const isSo = (): boolean => {
      const statuses = this.hosts.flatMap(({ process }) =>
        process === null ? [] : [process.member.status],
      );
      const [first] = statuses;
      if (first === undefined || statuses.length < Math.max(hostCountMin, this.hosts.length)) {
        return false;
      }
      return statuses.every(
        (status) =>
          status.phase === 'ready' &&
          status.generation === generation &&
          status.clusterId === first.clusterId &&
          status.raft.leader === first.raft.leader &&
          status.members.filter(({ kind }) => kind === 'voter').length ===
            (this.hosts.length < 3 ? 1 : 3),
      );
    };
    while (!isSo()) {
      if (this.clock.now() >= deadline) {
        return violated('healthy-again', `no generation ${generation}\n${this.#describe()}`);
      }
      await this.#pause(200);
    }
  }

  #describe(): string {
    return this.hosts
      .map(({ id, process }) => {
        if (process === null) return `${id}: down`;
        const { phase, message, clusterId, generation, raft } = process.member.status;
        const where = `${clusterId?.slice(0, 6)} of generation ${generation}`;
        return `${id}: ${phase} (${message}) in ${where}, ${raft.role} term ${raft.term}`;
      })
      .join('\n');
  }

  #hang({ disk }: SimHost): void {
    disk.hung = true;
    this.#later(this.#prng.between(300, 2_500), () => {
      disk.hung = false;
    });
  }

  async #anybody(): Promise<SimProcess> {
    for (;;) {
      const ready = this.#ready();
      if (ready.length > 0) return this.#prng.pick(ready);
      await this.#pause(100);
    }
  }

  #ready(): SimProcess[] {
    return this.hosts.flatMap(({ process }) =>
      process?.member.status.phase === 'ready' ? [process] : [],
    );
  }

  #addHost(id: string): SimHost {
    const host = new SimHost(id, this, this.#prng.fork(id));
    this.hosts.push(host);
    return host;
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  note(what: string): void {
    this.#hash.text(what);
    this.#hash.number(this.clock.now());
    this.#report.world(what);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#later(delayMs, resolve);
    });
  }

  #later(delayMs: number, callback: () => void): void {
    this.clock.setTimeout(callback, delayMs);
  }
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  for (let from = 0; from < bytes.length; from += 4_096) yield bytes.slice(from, from + 4_096);
}
