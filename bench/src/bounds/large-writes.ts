/** Large writes from many clients at once, four each, over all gateways. */
import { connectClient, isQuorateError } from '@quorate/client';
import type { Cluster } from '../processes.ts';
import { tally } from './tally.ts';
import type { Tally } from './tally.ts';

export type LargeWrites = { readonly mbPerSecond: number; readonly outcomes: Tally };

export async function largeWrites(
  cluster: Cluster,
  clientCount: number,
  forMs: number,
): Promise<LargeWrites> {
  const outcomes = tally();
  const startedAt = performance.now();
  const write = async (number: number): Promise<void> => {
    const url = cluster.nodes[number % cluster.nodes.length]?.gateway ?? '';
    const client = connectClient({ url, timeoutMs: 30_000 });
    const one = async (place: number): Promise<void> => {
      while (performance.now() - startedAt < forMs) {
        try {
          await client.kv.put(`large/${(number * inFlight + place) % keyCount}`, value);
          outcomes.add('OK');
        } catch (error) {
          outcomes.add(isQuorateError(error) ? error.code : String(error));
          await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
        }
      }
    };
    await Promise.all(Array.from({ length: inFlight }, (_, place) => one(place)));
    client.close();
  };
  await Promise.all(Array.from({ length: clientCount }, (_, number) => write(number)));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { mbPerSecond: outcomes.count('OK') / seconds, outcomes };
}

const inFlight = 4;
/** The state stays well below its limit. */
const keyCount = 32;
const value = 'x'.repeat(1_000_000);
