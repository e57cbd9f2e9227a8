/** A process without descriptors, as its system gives it: `ulimit -n`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FileStorage } from '../src/index.ts';

type Fact = { readonly event: string; readonly [name: string]: unknown };

// Skipped: elsewhere `sh` and `ulimit` may be missing, and other limits come first.
test.runIf(process.platform === 'linux')(
  'T19 Z46 without a descriptor nothing fails: the storage has some of its own, then it waits',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'quorate-descriptors-'));
    const script = fileURLToPath(new URL('short-of-descriptors.ts', import.meta.url));
    const node = `exec "${process.execPath}" --conditions=source --import tsx "${script}" "${directory}"`;
    const child = spawn('sh', ['-c', `ulimit -n 128 && ${node}`], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    try {
      const facts: Fact[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        const fact = JSON.parse(line) as Fact;
        facts.push(fact);
        if (fact.event === 'waiting') child.stdin.write('let go\n');
      }
      expect(facts).toEqual([
        { event: 'taken', count: expect.any(Number) },
        { event: 'kept' },
        { event: 'waiting' },
        { event: 'done', snapshot: 10, bytes: 1_000 },
      ]);
      const storage = new FileStorage({ directory });
      await storage.open({ create: false, newNodeId: 'cd'.repeat(16), nonce: '02'.repeat(8) });
      const { entries, snapshot } = await storage.load();
      expect([snapshot?.index, entries.at(-1)?.index]).toEqual([10, 12]);
      await storage.close();
    } finally {
      child.kill('SIGKILL');
      await ended;
      await rm(directory, { recursive: true, force: true });
    }
  },
);
