/** Real processes on real directories: two owners (D6), and kills under load (D8). */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileStorage } from '../src/index.ts';
import { nextNonce, nodeId } from './scenario.ts';

type Fact = {
  readonly event: 'open' | 'acknowledged' | 'snapshot' | 'error';
  readonly code?: string;
  readonly index?: number;
  readonly nodeId?: string;
  readonly epoch?: number;
};

class Member {
  readonly facts: Fact[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #told: (() => void)[] = [];

  constructor(directory: string, mode: 'hold' | 'write') {
    const script = fileURLToPath(new URL('member.ts', import.meta.url));
    const flags = ['--conditions=source', '--import', 'tsx', script, directory, mode];
    const cwd = fileURLToPath(new URL('..', import.meta.url));
    const child = spawn(process.execPath, flags, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    this.#exited = once(child, 'close');
    createInterface({ input: child.stdout }).on('line', (line) => {
      // A kill may cut the last line.
      if (line.endsWith('}')) this.facts.push(JSON.parse(line) as Fact);
      for (const tell of this.#told.splice(0)) tell();
    });
  }

  async until(holds: (facts: readonly Fact[]) => boolean): Promise<void> {
    while (!holds(this.facts)) {
      const told = new Promise<string>((resolve) => this.#told.push(() => resolve('told')));
      const ended = this.#exited.then(() => 'ended');
      if ((await Promise.race([told, ended])) === 'ended' && !holds(this.facts)) {
        throw new Error(`The member ended early: ${JSON.stringify(this.facts.at(-1))}`);
      }
    }
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}

// Starting a process takes its time on a busy machine; nothing here is measured.
vi.setConfig({ testTimeout: 180_000 });

let root = '';
let directory = '';
let members: Member[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-members-'));
  directory = join(root, 'data');
});

afterEach(async () => {
  await Promise.all(members.map((member) => member.kill()));
  members = [];
  await rm(root, { recursive: true, force: true });
});

function start(mode: 'hold' | 'write'): Member {
  const member = new Member(directory, mode);
  members.push(member);
  return member;
}

async function codeOfOpening(takeOver: boolean = false): Promise<unknown> {
  const storage = new FileStorage({ directory, takeOver });
  try {
    await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
    return 'opened';
  } catch (error) {
    return (error as { code?: unknown }).code;
  } finally {
    await storage.close();
  }
}

const isOpen = (facts: readonly Fact[]): boolean => facts.some(({ event }) => event === 'open');

test('D6 Z5 a directory that a process holds is STORAGE_LOCKED until it is dead', async () => {
  const holder = start('hold');
  await holder.until(isOpen);
  expect(await codeOfOpening()).toBe('STORAGE_LOCKED');
  // A living owner is not robbed, not even on a person's word (Z2), and not when it is stopped.
  expect(await codeOfOpening(true)).toBe('STORAGE_LOCKED');
  holder.signal('SIGSTOP');
  expect(await codeOfOpening()).toBe('STORAGE_LOCKED');
  holder.signal('SIGCONT');
  await holder.kill();
  expect(await codeOfOpening()).toBe('opened');
});

test('D6 Z5 of processes that start at once exactly one gets the directory', async () => {
  const starters = Array.from({ length: 4 }, () => start('hold'));
  const isDecided = (facts: readonly Fact[]): boolean => facts.length > 0;
  for (const starter of starters) await starter.until(isDecided);
  const open = starters.filter((starter) => isOpen(starter.facts));
  expect(open).toHaveLength(1);
  for (const starter of starters) {
    if (open.includes(starter)) continue;
    expect(starter.facts).toEqual([{ event: 'error', code: 'STORAGE_LOCKED' }]);
  }
  expect(await codeOfOpening()).toBe('STORAGE_LOCKED');
});

test('D6 a path longer than a socket address is locked like any other', async () => {
  directory = join(root, 'd'.repeat(120), 'e'.repeat(120));
  const holder = start('hold');
  await holder.until(isOpen);
  expect(await codeOfOpening()).toBe('STORAGE_LOCKED');
  await holder.kill();
  expect(await codeOfOpening()).toBe('opened');
  const names = await readdir(directory);
  expect(names.filter((name) => name.endsWith('.sock'))).toEqual([]);
});

test('D8 SIGKILL under load, again and again, loses no acknowledged write', async () => {
  let expectedNodeId: string | undefined;
  let acknowledged = 0;
  let snapshotted = 0;
  for (let round = 1; round <= 6; round += 1) {
    const writer = start('write');
    const wanted = 10 + ((round * 17) % 90);
    const count = (facts: readonly Fact[]): number =>
      facts.filter(({ event }) => event === 'acknowledged').length;
    await writer.until((facts) => count(facts) >= wanted);
    await writer.kill();
    for (const { event, index = 0 } of writer.facts) {
      if (event === 'acknowledged') acknowledged = Math.max(acknowledged, index);
      if (event === 'snapshot') snapshotted = Math.max(snapshotted, index);
    }
    const opened = writer.facts.find(({ event }) => event === 'open');
    expectedNodeId ??= opened?.nodeId;

    const storage = new FileStorage({ directory, segmentBytes: 32_768 });
    const run = await storage.open({ create: false, newNodeId: nodeId, nonce: nextNonce() });
    expect(run.nodeId).toBe(expectedNodeId);
    expect(run.epoch).toBe((opened?.epoch ?? 0) + 1);
    const { entries, snapshot, hardState } = await storage.load();
    const last = entries.at(-1)?.index ?? snapshot?.index ?? 0;
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    expect(snapshot?.index ?? 0).toBeGreaterThanOrEqual(snapshotted);
    expect(hardState.votedFor).toBe(expectedNodeId);
    let index = entries[0]?.index ?? 0;
    expect(index).toBeLessThanOrEqual((snapshot?.index ?? 0) + 1);
    for (const entry of entries) {
      expect(entry.index).toBe(index);
      const intact = entry.data.every((byte) => byte === (index & 0xff));
      expect(intact && entry.data.length === 1 + ((index * 37) % 900)).toBe(true);
      index += 1;
    }
    const stored = await storage.readSnapshot();
    let bytes = 0;
    if (stored !== null) for await (const chunk of stored.chunks) bytes += chunk.length;
    expect(bytes).toBe(stored === null ? 0 : 50_000);
    await storage.close();
  }
  expect(acknowledged).toBeGreaterThan(200);
  expect(snapshotted).toBeGreaterThan(0);
});
