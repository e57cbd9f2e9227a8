/** A test's own relay and members: a directory, ports, processes; all of it gone at the end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';
import type { Event } from './daemon.ts';
import { demand } from './gateway.ts';
import type { MemberRow, Status } from './gateway.ts';
import { until } from './wait.ts';
import type { UntilOptions } from './wait.ts';

export type MemberOptions = {
  readonly namespace?: string;
  /** Default: a directory of the member's own; null: none. */
  readonly data?: string | null;
  /** Default: the address of the world's relay. */
  readonly relay?: string;
  readonly secretFile?: string;
  /** More of the command line. */
  readonly flags?: readonly string[];
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** How many descriptors it may have (`ulimit -n`). */
  readonly descriptorsMax?: number;
};

export class World {
  readonly directory: string;
  readonly #daemons: Daemon[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'quorate-e2e-')));
  }

  /** A relay, not started yet, with a port and data of its own. */
  async relay(
    name = 'relay',
    flags: readonly string[] = ['--init', '--fresh'],
  ): Promise<RelaySeat> {
    return new RelaySeat(this, name, await freePort(), flags);
  }

  /** The same relay's port and directory, for a start with other flags. */
  async relayAt(relay: RelaySeat, flags: readonly string[]): Promise<RelaySeat> {
    return new RelaySeat(this, relay.label, relay.port, flags);
  }

  /** A member, not started yet, with a gateway port and data of its own. */
  async member(label: string, relay: RelaySeat, options: MemberOptions = {}): Promise<MemberSeat> {
    return new MemberSeat(this, label, relay, await freePort(), options);
  }

  /** A relay and members `a`, `b`, …, started at once; resolves when all of them vote. */
  async cluster(
    count: number,
    options: MemberOptions = {},
  ): Promise<{ readonly relay: RelaySeat; readonly members: readonly MemberSeat[] }> {
    const relay = await this.relay();
    await relay.start();
    const members: MemberSeat[] = [];
    for (const label of [...'abcdefg'].slice(0, count)) {
      members.push(await this.member(label, relay, options));
    }
    await Promise.all(members.map((member) => member.start()));
    await this.voters(members);
    return { relay, members };
  }

  /** Starts `quorate <args> --json` and ends it with the world. */
  daemon(
    name: string,
    args: readonly string[],
    options: Pick<MemberOptions, 'env' | 'descriptorsMax'> = {},
  ): Daemon {
    const daemon = new Daemon(name, args, { cwd: this.directory, ...options });
    this.#daemons.push(daemon);
    return daemon;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** The last lines of every process. */
  tails(): string {
    return this.#daemons.map((daemon) => daemon.tail()).join('\n');
  }

  /** What no process should ever say: warnings of the runtime, traces of what nobody caught. */
  oddities(): string[] {
    return this.#daemons.flatMap(({ name, asides }) =>
      asides.filter((line) => !expectedAside.test(line)).map((line) => `${name}: ${line}`),
    );
  }

  async until<T>(
    what: string,
    look: () => Promise<T | undefined | false> | T | undefined | false,
    options: UntilOptions = {},
  ): Promise<T> {
    return until(what, look, { describe: () => this.tails(), ...options });
  }

  /**
   * Waits until all of `members` agree: one cluster, one leader among them, and exactly they vote.
   * Resolves with the leader.
   */
  async voters(members: readonly MemberSeat[]): Promise<MemberSeat> {
    const wanted = members.map((member) => member.nodeId).sort();
    return this.until(`${members.map((one) => one.label).join(', ')} are the voters`, async () => {
      const leaders = new Set<string | null>();
      const clusters = new Set<string | null>();
      for (const member of members) {
        const status = await member.status();
        const voters = idsOf(status.members, 'voter');
        if (status.phase !== 'ready' || String(voters) !== String(wanted)) {
          throw new Error(`${member.label} says ${summary(status)}`);
        }
        leaders.add(status.leader);
        clusters.add(status.clusterId);
      }
      if (clusters.size !== 1) throw new Error(`there are clusters ${[...clusters].join(', ')}`);
      if (leaders.size !== 1) throw new Error(`there are leaders ${[...leaders].join(', ')}`);
      return members.find((member) => leaders.has(member.nodeId));
    });
  }

  /** Whom those of `members` that run take for the leader, once they agree and it runs. */
  async leader(members: readonly MemberSeat[]): Promise<MemberSeat> {
    return this.until('there is a leader', async () => {
      const up = members.filter((member) => member.isRunning);
      const states = await Promise.all(up.map((member) => member.status()));
      const leaders = new Set(states.map((status) => status.leader));
      if (leaders.size !== 1) throw new Error(`they name ${[...leaders].join(', ')}`);
      return up.find((member) => leaders.has(member.nodeId));
    });
  }

  /** Waits until each of `members` is ready and has applied what was committed when this began. */
  async caughtUp(members: readonly MemberSeat[]): Promise<void> {
    const states = await Promise.all(members.map((member) => member.status()));
    const target = Math.max(...states.map((status) => status.commitIndex));
    for (const member of members) {
      await this.until(`${member.label} has applied ${target}`, async () => {
        const status = await member.status();
        if (status.phase === 'ready' && status.appliedIndex >= target) return true;
        throw new Error(`${member.label} says ${summary(status)}`);
      });
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.kill()));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs `body` in a world of its own; what it throws comes with the last lines of every process. */
export async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  const world = await World.create();
  try {
    await body(world);
    const odd = world.oddities();
    if (odd.length > 0) throw new Error(`Some said what no process should:\n${odd.join('\n')}`);
  } catch (error) {
    if (error instanceof Error && !error.message.includes(world.tails())) {
      error.message += `\n${world.tails()}`;
    }
    throw error;
  } finally {
    await world.dispose();
  }
}

/** What runs, once or several times, on the same ports and data. */
abstract class Seat {
  readonly world: World;
  readonly label: string;
  #daemon: Daemon | null = null;

  constructor(world: World, label: string) {
    this.world = world;
    this.label = label;
  }

  /** The run that is, or was last. */
  get daemon(): Daemon {
    if (this.#daemon === null) throw new Error(`${this.label} was never started`);
    return this.#daemon;
  }

  get isRunning(): boolean {
    return this.#daemon?.isRunning === true;
  }

  /** Starts it without waiting for anything. */
  launch(): Daemon {
    if (this.isRunning) throw new Error(`${this.label} runs already`);
    this.#daemon = this.world.daemon(this.label, this.args(), this.spawnOptions());
    return this.#daemon;
  }

  spawnOptions(): Pick<MemberOptions, 'env' | 'descriptorsMax'> {
    return {};
  }

  async kill(): Promise<void> {
    await this.daemon.kill();
  }

  abstract args(): readonly string[];
}

export class RelaySeat extends Seat {
  readonly port: number;
  readonly data: string;
  readonly flags: readonly string[];

  constructor(world: World, name: string, port: number, flags: readonly string[]) {
    super(world, name);
    this.port = port;
    this.data = world.path(name);
    this.flags = flags;
  }

  /** As a person would write it: without the relay's identity. */
  get address(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  args(): readonly string[] {
    const listen = ['--listen', `127.0.0.1:${this.port}`];
    return ['relay', ...this.flags, ...listen, '--data', this.data];
  }

  async start(): Promise<Event> {
    return this.launch().event('listening', ({ event }) => event === 'listening');
  }
}

export class MemberSeat extends Seat {
  readonly namespace: string;
  readonly data: string | null;
  readonly gateway: string;
  readonly #relay: string;
  readonly #flags: readonly string[];
  readonly #spawnOptions: Pick<MemberOptions, 'env' | 'descriptorsMax'>;
  #nodeId: string | null = null;

  constructor(world: World, label: string, relay: RelaySeat, port: number, options: MemberOptions) {
    super(world, label);
    this.namespace = options.namespace ?? 'e2e';
    this.data = options.data === undefined ? world.path(`node-${label}`) : options.data;
    this.gateway = `http://127.0.0.1:${port}`;
    this.#relay = options.relay ?? relay.address;
    const secret = options.secretFile === undefined ? [] : ['--secret-file', options.secretFile];
    this.#flags = [...secret, ...(options.flags ?? [])];
    const { env, descriptorsMax } = options;
    this.#spawnOptions = {
      ...(env === undefined ? {} : { env }),
      ...(descriptorsMax === undefined ? {} : { descriptorsMax }),
    };
  }

  /** Of the last run that came so far. */
  get nodeId(): string {
    if (this.#nodeId === null) throw new Error(`${this.label} has not told its NodeId yet`);
    return this.#nodeId;
  }

  args(): readonly string[] {
    return [
      'node',
      ...['--namespace', this.namespace],
      ...['--relay', this.#relay],
      ...(this.data === null ? [] : ['--data', this.data]),
      ...['--gateway', this.gateway.replace('http://', '')],
      ...['--label', this.label],
      ...this.#flags,
    ];
  }

  override spawnOptions(): Pick<MemberOptions, 'env' | 'descriptorsMax'> {
    return this.#spawnOptions;
  }

  async start(): Promise<Event> {
    this.launch();
    return this.hasStarted();
  }

  /** Resolves with the event `started` of the run that was launched. */
  async hasStarted(): Promise<Event> {
    const started = await this.daemon.event('started', ({ event }) => event === 'started');
    this.#nodeId = String(started['nodeId']);
    return started;
  }

  /** Starts it where it must not go on; resolves with the code of the error that ended it. */
  async refusal(): Promise<string> {
    const daemon = this.launch();
    const { code } = await daemon.end(60_000);
    if (code === 0) throw new Error(`${this.label} ended by itself, with no error`);
    return String(daemon.events.findLast(({ event }) => event === 'error')?.['code']);
  }

  async status(): Promise<Status> {
    return demand<Status>(this.gateway, 'status', {});
  }
}

/** A member's view in a few words, for failures. */
export function summary(status: Status): string {
  const members = status.members.map(
    ({ label, kind, reachable, leader }) =>
      `${label} ${kind}${reachable ? '' : ' unreachable'}${leader ? ' leader' : ''}`,
  );
  return `${status.phase}, ${status.role} in term ${status.term}, ${status.appliedIndex} of ${status.commitIndex} applied: ${members.join(', ')}`;
}

export function idsOf(members: readonly MemberRow[], kind: MemberRow['kind']): string[] {
  return members
    .filter((member) => member.kind === kind)
    .map((member) => member.nodeId)
    .sort();
}

/**
 * A port that nobody listens on, below those that the system hands to outgoing connections: it stays
 * free while its process is down.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port)) continue;
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (!free) continue;
    taken.add(port);
    return port;
  }
  throw new Error('Cannot find a free port');
}

const expectedAside =
  /^(Namespace \S+ is public|Given \d+ relays|This relay only carries traffic|The register is new)/;
const taken = new Set<number>();
