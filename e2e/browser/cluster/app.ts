/**
 * The program of the pages under test: it joins as soon as its script runs, writes and reads when it
 * is told to, and says aloud (on the console, where a crash cannot take it back) what it was told.
 */

import type { AppEvent, Found } from '../../src/tab-history.ts';

/** What it uses of `quorate`, which the bundle brings. */
type Handle = {
  readonly peerId: string | null;
  readonly status: Status;
  readonly kv: {
    readonly revision: number;
    get(key: string, options?: CallOptions): Promise<unknown>;
    peek(key: string): unknown;
    put(key: string, value: unknown, options?: CallOptions): Promise<unknown>;
    txn(txn: object): Promise<{ succeeded: boolean; results: readonly { value?: unknown }[] }>;
    range(options: { prefix: string } & CallOptions): Promise<{ entries: readonly Entry[] }>;
    transaction(body: (tx: Transaction) => Promise<void>): Promise<unknown>;
    live(key: string): {
      subscribe(listener: (value: unknown, now: { loaded: boolean }) => void): void;
    };
  };
  counter(name: string): { add(by: number): Promise<number>; get(): Promise<number> };
  subscribe(listener: (status: Status) => void): () => void;
  explain(): string;
  close(): Promise<void>;
};

type CallOptions = { readonly consistency?: 'linearizable' | 'local'; readonly timeoutMs?: number };
type Entry = { readonly key: string; readonly value: unknown; readonly version: number };
type Transaction = { get(key: string): unknown; put(key: string, value: unknown): void };

export type Status = {
  readonly clusterId: string | null;
  readonly nodeId: string | null;
  readonly label: string;
  readonly phase: string;
  readonly canWrite: boolean;
  readonly reason: string | null;
  readonly message: string;
  readonly durability: string;
  readonly copies: number;
  readonly members: readonly {
    readonly nodeId: string;
    readonly label: string;
    readonly kind: 'voter' | 'learner';
    readonly leader: boolean;
    readonly durable: boolean;
    readonly reachable: boolean;
    readonly self: boolean;
    readonly runtime: string;
    readonly link: string | null;
  }[];
  readonly raft: {
    readonly role: string;
    readonly term: number;
    readonly leader: string | null;
    readonly clock: string;
    readonly epoch: number;
    readonly commitIndex: number;
    readonly firstIndex: number;
    readonly lastIndex: number;
  };
  readonly archived?: { readonly clusterId: string; readonly generation: number };
};

export type AppApi = {
  /** Of this load of the page: all keys that it writes carry it. */
  readonly writer: string;
  readonly log: readonly AppEvent[];
  status(): Status;
  /** Of the host over which it meets others; null without relays. */
  peerId(): string | null;
  explain(): string;
  /** Leaves one mark and counts it, in one transaction; false where that failed. */
  mark(): Promise<boolean>;
  /** Marks, one after another, with a pause after each, until `stop`. */
  writing(pauseMs: number): void;
  /** Transactions of several keys each, one after another, until `stop`. */
  transacting(): void;
  /** Reads the count, linearizably, again and again until `stop`. */
  reading(pauseMs: number): void;
  /** Ends all of these; resolves once nothing is under way. */
  stop(): Promise<void>;
  put(key: string, value: unknown): Promise<void>;
  get(key: string): Promise<unknown>;
  peek(key: string): unknown;
  /** Everything, by a linearizable read. */
  find(): Promise<Found>;
  /** The count that is applied here. */
  countHere(): number;
  add(by: number): Promise<number>;
  sum(): Promise<number>;
  /** A click that writes and then computes for so long; resolves with how long its write took. */
  clickAndCompute(busyMs: number): Promise<number>;
  /** Of all records in the databases of this site. */
  storedBytes(): Promise<number>;
  /** Calls `joinCluster` once more in this page; the same member answers through that handle. */
  joinAgain(): Promise<{ readonly sameMember: boolean; readonly read: unknown }>;
  close(): Promise<void>;
};

declare global {
  var app: AppApi;
}

type JoinOptions = {
  readonly namespace: string;
  readonly label: string;
  readonly relays?: readonly string[];
  readonly secret?: string;
  readonly direct?: boolean;
};

type Join = (options: JoinOptions) => Handle;

/** Every line of a page's log begins with this on the console. */
export const logPrefix = 'app:';

export function startApp(joinCluster: Join): void {
  const options = optionsOf(new URLSearchParams(location.search));
  const { label } = options;
  const writer = `${label}-${[...crypto.getRandomValues(new Uint8Array(4))].join('.')}`;
  const log: AppEvent[] = [];
  const tell = (type: string, details: object = {}): void => {
    const event = { id: `${writer} ${log.length}`, atMs: now(), type, ...details };
    log.push(event);
    console.debug(logPrefix + JSON.stringify(event));
  };
  tell('script', { writer, label });
  followPage(tell);
  const cluster = joinCluster(options);
  followCluster(cluster, tell);
  const load = new Load(cluster, writer, tell);
  globalThis.app = {
    writer,
    log,
    status: () => cluster.status,
    peerId: () => cluster.peerId,
    explain: () => cluster.explain(),
    mark: () => load.mark(),
    writing: (pauseMs) => load.repeat(pauseMs, () => load.mark()),
    transacting: () => load.repeat(0, () => load.transact()),
    reading: (pauseMs) => load.repeat(pauseMs, () => load.read()),
    stop: () => load.stop(),
    put: async (key, value) => void (await cluster.kv.put(key, value)),
    get: (key) => cluster.kv.get(key),
    peek: (key) => cluster.kv.peek(key),
    find: () => find(cluster),
    countHere: () => Number(cluster.kv.peek('total') ?? 0),
    add: (by) => cluster.counter('clicks').add(by),
    sum: () => cluster.counter('clicks').get(),
    async clickAndCompute(busyMs) {
      const fromMs = now();
      const written = cluster.counter('clicks').add(1);
      while (now() - fromMs < busyMs);
      await written;
      return now() - fromMs;
    },
    storedBytes,
    async joinAgain() {
      const again = joinCluster(options);
      await again.kv.put('again', writer);
      const read = await cluster.kv.get('again');
      const sameMember = again.status.nodeId === cluster.status.nodeId;
      await again.close();
      return { sameMember, read };
    },
    close: () => cluster.close(),
  };
}

function optionsOf(asked: URLSearchParams): JoinOptions {
  const relays = asked.getAll('relay');
  const secret = asked.get('secret');
  return {
    namespace: asked.get('namespace') ?? 'tabs',
    label: asked.get('label') ?? 'tab',
    ...(relays.length === 0 ? {} : { relays }),
    ...(secret === null ? {} : { secret }),
    ...(asked.get('direct') === 'no' ? { direct: false } : {}),
  };
}

/** Writes and reads that remember what became of them. */
class Load {
  readonly #cluster: Handle;
  readonly #writer: string;
  readonly #tell: (type: string, details?: object) => void;
  readonly #running = new Set<Promise<void>>();
  readonly #sleep = createSleep();
  #written = 0;
  #stopping = false;

  constructor(cluster: Handle, writer: string, tell: (type: string, details?: object) => void) {
    this.#cluster = cluster;
    this.#writer = writer;
    this.#tell = tell;
  }

  async mark(): Promise<boolean> {
    const key = this.#nextKey('mark');
    return this.#attempt(key, async () => {
      const { succeeded, results } = await this.#cluster.kv.txn({
        if: [{ key, exists: false }],
        then: [
          { type: 'put', key, value: 1 },
          { type: 'increment', key: 'total' },
        ],
      });
      if (!succeeded) throw new Error(`${key} was there before it was written`);
      return Number(results[1]?.value);
    });
  }

  /** Reads and writes several keys: all of them change, or none does. */
  async transact(): Promise<boolean> {
    const key = this.#nextKey('group');
    return this.#attempt(key, async () => {
      let total = 0;
      await this.#cluster.kv.transaction(async (tx) => {
        total = Number(tx.get('total') ?? 0) + 1;
        tx.put(`${key}/a`, total);
        // Room for others, and for the end of this tab, in the middle.
        await this.#sleep(1);
        tx.put(`${key}/b`, total);
        tx.put(key.replace('group', 'mark'), total);
        tx.put('total', total);
      });
      return total;
    });
  }

  async read(): Promise<boolean> {
    const fromMs = now();
    try {
      const value = Number((await this.#cluster.kv.get('total')) ?? 0);
      this.#tell('read', { fromMs, value });
      return true;
    } catch (error) {
      this.#tell('read-failed', { fromMs, ...described(error) });
      return false;
    }
  }

  repeat(pauseMs: number, once: () => Promise<boolean>): void {
    const run = async (): Promise<void> => {
      while (!this.#stopping) {
        const done = await once();
        await this.#sleep(done ? pauseMs : pauseAfterFailureMs);
      }
    };
    const running = run().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
    this.#stopping = false;
  }

  #nextKey(kind: 'mark' | 'group'): string {
    this.#written += 1;
    return `${kind}/${this.#writer}/${String(this.#written).padStart(6, '0')}`;
  }

  async #attempt(key: string, write: () => Promise<number>): Promise<boolean> {
    const fromMs = now();
    this.#tell('began', { key });
    try {
      const value = await write();
      this.#tell('acked', { key, fromMs, value });
      return true;
    } catch (error) {
      const { outcome } = described(error);
      this.#tell(outcome === 'not-applied' ? 'refused' : 'unknown', { key, ...described(error) });
      return false;
    }
  }
}

async function storedBytes(): Promise<number> {
  let bytes = 0;
  for (const { name = '' } of await indexedDB.databases()) {
    const database = await answered(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      // One record after another: all at once would weigh as much in this page.
      const records = (): IDBObjectStore => database.transaction(store).objectStore(store);
      for (const key of await answered(records().getAllKeys())) {
        bytes += weigh(await answered(records().get(key)));
      }
    }
    database.close();
  }
  return bytes;
}

function answered<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('A request failed'));
  });
}

function weigh(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.values(value).reduce((sum: number, part) => sum + weigh(part), 0);
}

/** Of a worker: the timers of hidden pages come once a second, later once a minute. */
function createSleep(): (ms: number) => Promise<void> {
  const script = 'onmessage = ({ data: { id, ms } }) => setTimeout(() => postMessage(id), ms)';
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  const waking = new Map<number, () => void>();
  let count = 0;
  worker.onmessage = ({ data }: MessageEvent<number>) => {
    waking.get(data)?.();
    waking.delete(data);
  };
  return (ms) =>
    new Promise((resolve) => {
      count += 1;
      waking.set(count, resolve);
      worker.postMessage({ id: count, ms });
    });
}

/** What happens to the page. */
function followPage(tell: (type: string, details?: object) => void): void {
  for (const type of ['visibilitychange', 'freeze', 'resume']) {
    document.addEventListener(type, () => tell(type, { visibility: document.visibilityState }));
  }
  for (const type of ['pagehide', 'pageshow'] as const) {
    addEventListener(type, ({ persisted }) => tell(type, { persisted }));
  }
}

/** What happens to the member. */
function followCluster(cluster: Handle, tell: (type: string, details?: object) => void): void {
  let before = '';
  cluster.subscribe(({ phase, reason, canWrite, nodeId, message, members, raft }) => {
    const voters = members.filter(({ kind }) => kind === 'voter').length;
    const { role, term, leader, clock, epoch } = raft;
    const learners = members.length - voters;
    const seen = {
      phase,
      reason,
      canWrite,
      nodeId,
      epoch,
      role,
      term,
      leader,
      clock,
      voters,
      learners,
    };
    const text = JSON.stringify(seen);
    if (text === before) return;
    before = text;
    tell('status', { ...seen, message });
  });
  let isShown = false;
  cluster.kv.live('total').subscribe((value, { loaded }) => {
    if (isShown || !loaded) return;
    isShown = true;
    tell('shown', { value });
  });
}

async function find(cluster: Handle): Promise<Found> {
  const { entries } = await cluster.kv.range({ prefix: '' });
  const of = (prefix: string): { key: string; version: number }[] =>
    entries
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, version }) => ({ key, version }));
  const total = Number(entries.find(({ key }) => key === 'total')?.value ?? 0);
  return { total, marks: of('mark/'), groups: of('group/') };
}

function described(error: unknown): { code?: string; outcome?: string; text: string } {
  if (!(error instanceof Error)) return { text: String(error) };
  const { code, outcome } = error as { code?: string; outcome?: string };
  return {
    ...(code === undefined ? {} : { code }),
    ...(outcome === undefined ? {} : { outcome }),
    text: error.message,
  };
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

const pauseAfterFailureMs = 100;
