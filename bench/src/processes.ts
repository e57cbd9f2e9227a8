/** A relay and members as processes of their own, from the built command line. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Told = Readonly<Record<string, unknown>> & { readonly event: string };

export type Process = {
  readonly child: ChildProcess;
  readonly events: Told[];
  /** Resolves with the first event, past or future, that `is` accepts. */
  event(is: (event: Told) => boolean): Promise<Told>;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
};

export type Cluster = {
  readonly directory: string;
  readonly relay: string;
  readonly relayProcess: Process;
  readonly nodes: readonly { readonly process: Process; readonly gateway: string }[];
  close(): Promise<void>;
};

export const command: string = fileURLToPath(
  new URL('../../packages/quorate/bin/quorate.js', import.meta.url),
);

export function run(args: readonly string[]): Process {
  const child = spawn(process.execPath, [command, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const events: Told[] = [];
  const listeners = new Set<(event: Told) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const event = JSON.parse(line) as Told;
    events.push(event);
    for (const listener of [...listeners]) listener(event);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  return {
    child,
    events,
    event(is) {
      const past = events.find(is);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        const listener = (event: Told): void => {
          if (!is(event)) return;
          listeners.delete(listener);
          resolve(event);
        };
        listeners.add(listener);
        void exited.then(() => {
          reject(new Error(`quorate ${args[0] ?? ''} ended before the event`));
        });
      });
    },
    async kill(signal) {
      child.kill(signal);
      await exited;
    },
  };
}

export async function startRelay(
  directory: string,
  args: readonly string[] = [],
): Promise<{ relay: Process; address: string }> {
  const relay = run([
    'relay',
    '--init',
    '--fresh',
    '--data',
    join(directory, 'relay'),
    '--listen',
    '127.0.0.1:0',
    ...args,
  ]);
  const listening = await relay.event(({ event }) => event === 'listening');
  const address = (listening['addresses'] as string[])[0];
  if (address === undefined) throw new Error('The relay listens nowhere');
  return { relay, address };
}

export function startNode(
  directory: string,
  relay: string,
  name: string,
  args: readonly string[] = [],
): Process {
  return run([
    ...['node', '--namespace', 'bench', '--relay', relay, '--data', join(directory, name)],
    ...['--gateway', '127.0.0.1:0', '--label', name],
    ...args,
  ]);
}

export async function gatewayOf(node: Process): Promise<string> {
  const started = await node.event(({ event }) => event === 'started');
  return String(started['gateway']);
}

/**
 * Resolves once every member knows three voters. `isCarried`: they say of themselves that nobody can dial
 * them, so all they send each other goes through the relay.
 */
export async function startCluster(isCarried = false): Promise<Cluster> {
  const args = isCarried ? ['--announce', '127.0.0.1:9'] : [];
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const { relay, address } = await startRelay(directory);
  const nodes = await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const node = startNode(directory, address, name, args);
      return { process: node, gateway: await gatewayOf(node) };
    }),
  );
  await Promise.all(nodes.map(({ process }) => process.event(hasThreeVoters)));
  return {
    directory,
    relay: address,
    relayProcess: relay,
    nodes,
    async close() {
      for (const { process } of nodes)
        if (process.child.exitCode === null) await process.kill('SIGTERM');
      await relay.kill('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function hasThreeVoters({ event, members }: Told): boolean {
  if (event !== 'members' || !Array.isArray(members)) return false;
  return (members as { kind: string }[]).filter(({ kind }) => kind === 'voter').length === 3;
}
