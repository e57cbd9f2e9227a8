/** The program of the pages that `tabs.ts` measures: it runs in a browser, with the built library. */
import { joinCluster } from 'quorate';

export type TabsPage = {
  /** Milliseconds from the first script of the page on; null for what did not happen. */
  readonly times: { joined: number; shown: number | null; committed: number | null };
  status(): { readonly canWrite: boolean; readonly leads: boolean; readonly voters: number };
  /** Puts stamps, one after another, and resolves once all are acknowledged. */
  stamp(count: number, pauseMs: number): Promise<void>;
  /** Milliseconds from the call of each stamp, in another tab, to its event here. */
  readonly delays: number[];
  /** Puts one key after another until `stop`, which tells the longest time between two of them. */
  beat(): void;
  stop(): Promise<number>;
  /** Puts of 256 B for so long, so many in flight; resolves with how many were acknowledged. */
  flood(forMs: number, inFlight: number): Promise<number>;
};

declare global {
  var bench: TabsPage;
  /** Set by the first script of the page, before any module. */
  var startedAt: number;
}

const asked = new URLSearchParams(location.search);
const sinceStart = (): number => performance.now() - startedAt;
const times: TabsPage['times'] = { joined: sinceStart(), shown: null, committed: null };
const cluster = joinCluster({ namespace: asked.get('namespace') ?? 'bench' });
const delays: number[] = [];
const name = Math.random().toString(36).slice(2);
let beating: Promise<number> | null = null;
let stopped = false;

cluster.kv.live('first').subscribe((value) => {
  if (value !== undefined) times.shown ??= sinceStart();
});
if (asked.has('write')) {
  void cluster.kv.put('first', 1).then(() => {
    times.committed = sinceStart();
  });
}
cluster.kv.live('stamp').subscribe((value) => {
  const { by, at } = (value ?? {}) as { by?: string; at?: number };
  if (at !== undefined && by !== name) delays.push(performance.timeOrigin + performance.now() - at);
});

globalThis.bench = {
  times,
  delays,
  status() {
    const { canWrite, members, label } = cluster.status;
    const leader = members.find((member) => member.leader)?.label ?? '';
    const leads = leader === label || leader.startsWith(`${label} (`);
    return { canWrite, leads, voters: members.filter(({ kind }) => kind === 'voter').length };
  },
  async stamp(count, pauseMs) {
    for (let i = 0; i < count; i += 1) {
      await cluster.kv.put('stamp', { by: name, at: performance.timeOrigin + performance.now() });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  },
  beat() {
    stopped = false;
    beating = (async () => {
      let longest = 0;
      for (let i = 0; !stopped; i += 1) {
        const from = performance.now();
        await cluster.kv.put('beat', i);
        longest = Math.max(longest, performance.now() - from);
      }
      return longest;
    })();
  },
  async stop() {
    stopped = true;
    return (await beating) ?? 0;
  },
  async flood(forMs, inFlight) {
    const value = 'x'.repeat(256);
    const end = performance.now() + forMs;
    let count = 0;
    const run = async (worker: number): Promise<void> => {
      for (let i = 0; performance.now() < end; i += 1) {
        await cluster.kv.put(`flood/${name}/${worker}/${i % 50}`, value);
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, (_, worker) => run(worker)));
    return count;
  },
};
