/** What these tests share: a handler that writes down what it saw, waiting, a private folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Link, TransportHandler } from '@quorate/contracts';
import { onTestFinished } from 'vitest';

export type Watched = {
  readonly handler: TransportHandler;
  readonly events: string[];
  readonly links: Map<string, Link>;
};

export function watched(): Watched {
  const events: string[] = [];
  const links = new Map<string, Link>();
  return {
    events,
    links,
    handler: {
      linkUp: (link) => {
        links.set(link.host, link);
        events.push('up');
      },
      linkDown: (link, reason) => {
        if (links.get(link.host) === link) links.delete(link.host);
        events.push(`down ${reason}`);
      },
      frame: (_link, channel, frame) => {
        events.push(`${channel} ${Buffer.from(frame).toString()}`);
      },
      drained: () => {},
    },
  };
}

/** Waits for a fact; a test that waits in vain fails with its name. */
export async function until(what: string, fact: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 25_000;
  while (!fact()) {
    if (performance.now() > deadlineMs) throw new Error(`Waited in vain: ${what}`);
    await pause(10);
  }
}

/** Asks again and again, refused or not, until there is an answer. */
export async function answered<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  const deadlineMs = performance.now() + 25_000;
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    if (performance.now() > deadlineMs) throw new Error(`Waited in vain: ${what}`);
    // What is refused at once would leave no time for anything else.
    await pause(10);
  }
}

export async function pause(delayMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** A folder that goes away with the test. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'quorate-relay-'));
  onTestFinished(async () => rm(path, { recursive: true, force: true }));
  return path;
}

/** Closes something when the test is over. */
export function closing<Closable extends { close(): Promise<void> }>(it: Closable): Closable {
  onTestFinished(async () => it.close());
  return it;
}

/** The address alone, without the peer's id: what a person would write. */
export function plainAddress(addresses: readonly string[]): string {
  return addresses[0]?.split('/p2p/')[0] ?? '';
}
