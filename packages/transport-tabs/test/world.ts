/** Transports in one process, and what happened to them. */
import { systemClock, systemRandom } from '@quorate/contracts';
import type { Link, Transport } from '@quorate/contracts';
import { createTabsTransport } from '../src/tabs-transport.ts';
import type { TabsTransportOptions } from '../src/tabs-transport.ts';

export const fast = {
  pingIntervalMs: 20,
  silentAfterMs: 200,
  helloTimeoutMs: 200,
  retryMsMin: 10,
  retryMsMax: 50,
} as const;

export type Observed = {
  readonly transport: Transport;
  readonly links: Link[];
  readonly downs: string[];
  readonly frames: Uint8Array[];
};

export async function startHost(
  topic: string,
  options: Partial<TabsTransportOptions> = {},
): Promise<Observed> {
  const transport = createTabsTransport({
    topic,
    clock: systemClock,
    random: systemRandom,
    timing: fast,
    locks: null,
    ...options,
  });
  const observed: Observed = { transport, links: [], downs: [], frames: [] };
  await transport.start({
    linkUp: (link) => void observed.links.push(link),
    linkDown: (_, reason) => void observed.downs.push(reason),
    frame: (_link, _channel, frame) => void observed.frames.push(frame),
    drained: () => {},
  });
  return observed;
}

/** Waits for a fact; the test's own time limit ends the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
