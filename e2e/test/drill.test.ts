/** The drill of docs/OPERATIONS.md, word by word: what it says is what is typed here. */
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { quorate } from '../src/command.ts';
import type { CommandResult } from '../src/command.ts';
import type { Daemon } from '../src/daemon.ts';
import { call, demand, entries, entry } from '../src/gateway.ts';
import type { Entry, Status } from '../src/gateway.ts';
import { freePort, inWorld } from '../src/world.ts';
import type { World } from '../src/world.ts';

it('T2 Z43 Z50 Z52 the drill: three under load, backed up, lost, one restored, two join, one of before comes back', () =>
  inWorld(async (world) => {
    const drill = new Drill(world);
    await drill.usePorts();
    const [start, backup, lose, restore, join, back] = drill.parts;

    // Three members under load, and a fourth.
    await drill.follow(start);
    const load = new Puts(drill.gateways.slice(0, 3));
    await demand(drill.gateway(1), 'put', { key: 'greeting', value: 'hello' });
    await demand(drill.gateway(1), 'increment', { key: 'sold', by: 41 });
    await world.until('the load is under way', () => load.acked.size > 50);

    const [backedUp] = await drill.follow(backup);
    await world.until('more was written since', () => load.acked.size > 100);
    const { cluster, revision } = readBackup(backedUp?.stdout ?? '');
    const lost = await demand<Status>(drill.gateway(1), 'status', {});
    expect(lost.clusterId).toBe(cluster);
    const away = await demand<Status>(drill.gateway(4), 'status', {});

    // While anybody runs, nothing is restored: not in its place, and nothing is changed by trying.
    drill.words.set('CLUSTER', cluster.slice(0, 8));
    const tooEarly = await drill.run(restore?.[0] ?? '');
    expect(tooEarly.code).not.toBe(0);
    expect(tooEarly.stderr).toContain('RESTORE_REFUSED');
    expect(await readdir(world.directory)).not.toContain('new-one');

    await drill.stop('four');
    await load.stop();
    for (const label of ['one', 'two', 'three']) await drill.kill(label);
    await drill.follow(lose);

    // Another cluster's name does not do; then the lines of the page.
    drill.words.set('CLUSTER', 'ffffffff');
    expect((await drill.run(restore?.[0] ?? '')).stderr).toContain(cluster);
    drill.words.set('CLUSTER', cluster.slice(0, 8));
    const [restored, greeting] = await drill.follow(restore);
    expect(restored?.stdout).toContain('generation 2');
    expect(greeting?.stdout).toBe('hello\n');

    // Exactly the state of the backup: all of it, and nothing that came later.
    const found = new Map((await entries(drill.gateway(1), 'load/')).map((kv) => [kv.key, kv]));
    for (const [key, writtenAt] of load.acked) {
      expect(found.has(key), `${key} of revision ${writtenAt}`).toBe(writtenAt <= revision);
    }
    expect(await entry(drill.gateway(1), 'sold')).toMatchObject({ value: 41 });

    // Its revisions are above every one of before.
    const { revision: next } = await demand<{ revision: number }>(drill.gateway(1), 'put', {
      key: 'after',
      value: 1,
    });
    expect(next).toBeGreaterThan(Math.max(...load.acked.values(), 2 ** 40));
    const stale = await call(drill.gateway(1), 'put', {
      key: 'greeting',
      value: 'stale',
      ifRevision: [...load.acked.values()][0],
    });
    expect(stale).toMatchObject({ ok: false, code: 'CONFLICT' });

    // A watch of before ends, whatever the number it stopped at.
    const foreign = { 'last-event-id': `${revision}-${cluster}` };
    const watch = await fetch(`${drill.gateway(1)}/v1/watch?prefix=`, { headers: foreign });
    expect(watch.status).toBe(410);

    await drill.follow(join);
    await world.until('three vote', async () => {
      const { members } = await demand<Status>(drill.gateway(3), 'status', {});
      return members.filter(({ kind }) => kind === 'voter').length === 3;
    });

    const [, exported] = [0, (await drill.follow(back))[1]];
    await world.until('the fourth is a member again', async () => {
      const status = await demand<Status>(drill.gateway(4), 'status', {});
      return status.phase === 'ready' && status.clusterId !== cluster;
    });
    const returned = await demand<Status>(drill.gateway(4), 'status', {});
    expect(returned.archived).toEqual({ clusterId: cluster, generation: 1 });
    expect(returned.nodeId).not.toBe(away.nodeId);
    expect(exported?.code).toBe(0);
    const lines = (await readFile(world.path('shop.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toContain('{"key":"greeting","value":"hello"}');

    // What it had is kept, and can be looked at once it is stopped.
    await drill.stop('four');
    const archive = await quorate(
      ['backup', 'archived.backup', '--data', 'four', '--archive', 'superseded'],
      { cwd: world.directory },
    );
    expect(archive.code, archive.stderr).toBe(0);
    expect(archive.stdout).toContain(cluster);
    expect(archive.stdout).toContain('Note: Taken from the archive');

    // And the same file restored once more gives way to nobody's numbers.
    for (const label of ['one', 'two', 'three']) await drill.kill(label);
    const now = returned.clusterId ?? '';
    drill.words.set('CLUSTER', now.slice(0, 8));
    drill.words.set('new-one', 'again');
    const again = await drill.run(restore?.[0] ?? '');
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('generation 3');
  }));

/** The page's lines, in blocks, with ports that are free here. */
class Drill {
  readonly world: World;
  /** What stands for something else: ports, and what a person has to fill in. */
  readonly words = new Map<string, string>();
  readonly parts: readonly (readonly string[])[];
  readonly #daemons = new Map<string, Daemon>();

  constructor(world: World) {
    this.world = world;
    const page = readFileSync(
      fileURLToPath(new URL('../../docs/OPERATIONS.md', import.meta.url)),
      'utf8',
    );
    const drill = /<!-- drill:[^]*?-->([^]*?)<!-- \/drill -->/.exec(page)?.[1] ?? '';
    this.parts = [...drill.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) =>
      block.trim().split('\n'),
    );
    expect(this.parts).toHaveLength(6);
  }

  get gateways(): readonly string[] {
    return [1, 2, 3, 4].map((number) => this.gateway(number));
  }

  gateway(number: number): string {
    return `http://127.0.0.1:${this.words.get(`780${number}`)}`;
  }

  async usePorts(): Promise<void> {
    for (const port of ['7700', '7801', '7802', '7803', '7804']) {
      this.words.set(port, String(await freePort()));
    }
  }

  /** Types line after line; resolves with what those that end came to. */
  async follow(lines: readonly string[] = []): Promise<readonly CommandResult[]> {
    const results: CommandResult[] = [];
    for (const line of lines) {
      const args = this.#words(line);
      if (args[0] === 'rm') {
        for (const name of args.slice(2)) {
          await rm(this.world.path(name), { recursive: true, force: true });
        }
      } else if (args[1] === 'relay' || args[1] === 'node') {
        await this.#start(args.slice(1));
      } else {
        const result = await this.run(line);
        expect(result.code, `${line}\n${result.stderr}\n${this.world.tails()}`).toBe(0);
        results.push(result);
      }
    }
    return results;
  }

  /** One command, to its end. */
  async run(line: string): Promise<CommandResult> {
    const [, ...args] = this.#words(line);
    const into = args.indexOf('>');
    const options = { cwd: this.world.directory };
    if (into === -1) return quorate(args, options);
    const result = await quorate(args.slice(0, into), options);
    const { writeFile } = await import('node:fs/promises');
    await writeFile(this.world.path(args[into + 1] ?? ''), result.stdout, { mode: 0o600 });
    return result;
  }

  /** As a power failure does. */
  async kill(label: string): Promise<void> {
    await this.#daemon(label).kill();
  }

  async stop(label: string): Promise<void> {
    await this.#daemon(label).stop();
  }

  async #start(args: readonly string[]): Promise<void> {
    const label = args[0] === 'relay' ? 'relay' : (args[args.indexOf('--label') + 1] ?? '');
    const daemon = this.world.daemon(label, args);
    this.#daemons.set(label, daemon);
    const first = label === 'relay' ? 'listening' : 'started';
    await daemon.event(first, ({ event }) => event === first);
    if (label === 'relay') return;
    const gateway = args[args.indexOf('--gateway') + 1] ?? '';
    await this.world.until(`${label} is ready`, async () => {
      const { phase } = await demand<Status>(`http://${gateway}`, 'status', {});
      return phase === 'ready';
    });
  }

  #daemon(label: string): Daemon {
    const daemon = this.#daemons.get(label);
    if (daemon === undefined) throw new Error(`${label} was never started`);
    return daemon;
  }

  #words(line: string): readonly string[] {
    return line.split(/\s+/).map((word) => {
      let text = word;
      for (const [from, to] of this.words) text = text.replaceAll(from, to);
      return text;
    });
  }
}

/** Keys of its own, each once, with the revision of those that were acknowledged. */
class Puts {
  readonly acked = new Map<string, number>();
  readonly #workers: readonly Promise<void>[];
  #over = false;

  constructor(gateways: readonly string[]) {
    this.#workers = gateways.map((gateway, worker) => this.#put(gateway, worker));
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#workers);
  }

  async #put(gateway: string, worker: number): Promise<void> {
    for (let n = 0; !this.#over; n += 1) {
      const key = `load/${worker}/${n}`;
      const answer = await call<Pick<Entry, 'key'> & { readonly revision: number }>(
        gateway,
        'put',
        { key, value: 'x'.repeat(200) },
      );
      if (answer.ok) this.acked.set(key, answer.result.revision);
    }
  }
}

/** What a person notes of the lines that the command prints. */
function readBackup(text: string): { readonly cluster: string; readonly revision: number } {
  const cluster = /Cluster ([0-9a-f]{32})/.exec(text)?.[1];
  const revision = /at revision (\d+)/.exec(text)?.[1];
  if (cluster === undefined || revision === undefined) throw new Error(`it said: ${text}`);
  return { cluster, revision: Number(revision) };
}
