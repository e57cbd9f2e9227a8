/** Calls on a gateway by plain `fetch`, with what is known about their effect. */

export type MemberRow = {
  readonly nodeId: string;
  readonly label: string;
  readonly kind: 'voter' | 'learner';
  readonly reachable: boolean;
  readonly leader: boolean;
};

export type Status = {
  readonly namespace: string;
  readonly clusterId: string | null;
  readonly nodeId: string | null;
  readonly label: string;
  readonly phase: string;
  readonly role: string;
  readonly term: number;
  readonly leader: string | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly members: readonly MemberRow[];
  readonly canWrite: boolean;
  readonly reason: string | null;
  readonly message: string;
  readonly archived?: { readonly clusterId: string; readonly generation: number };
  readonly forks: readonly { readonly label: string; readonly hosts: readonly string[] }[];
};

export type Entry = {
  readonly key: string;
  readonly value: unknown;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
};

export type Failure = {
  readonly ok: false;
  readonly code: string;
  readonly outcome: 'not-applied' | 'unknown';
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
};

export type Answer<T> = { readonly ok: true; readonly result: T } | Failure;

/**
 * One call, tried once. A connection that was refused carried nothing; one that broke, or an answer
 * that did not come in time, leaves a doubt. Never rejects.
 */
export async function call<T>(
  gateway: string,
  name: string,
  request: unknown,
  options: { readonly timeoutMs?: number; readonly headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const { timeoutMs = 10_000, headers = {} } = options;
  try {
    const response = await fetch(`${gateway}/v1/${name}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'quorate-timeout-ms': String(timeoutMs),
        ...headers,
      },
      body: JSON.stringify(request),
      // Later than the gateway's own deadline: its verdict is worth waiting for.
      signal: AbortSignal.timeout(timeoutMs + 5_000),
    });
    const body = (await response.json()) as { readonly error?: Omit<Failure, 'ok'> };
    if (response.ok) return { ok: true, result: body as T };
    if (body.error !== undefined) return { ...body.error, ok: false };
    return doubt(`HTTP ${response.status} without an error`);
  } catch (error) {
    if (codesOf(error).includes('ECONNREFUSED')) {
      return { ...doubt('nobody listens there'), code: 'UNREACHABLE', outcome: 'not-applied' };
    }
    return doubt(error instanceof Error ? error.message : String(error));
  }
}

/** The result of a call that must not fail. */
export async function demand<T>(gateway: string, name: string, request: unknown): Promise<T> {
  const answer = await call<T>(gateway, name, request, { timeoutMs: 40_000 });
  if (answer.ok) return answer.result;
  throw new Error(`${name} ${JSON.stringify(request)}: ${answer.message} (${answer.code})`);
}

/** A key as one member has it (`local`) or as the cluster has it. */
export async function entry(
  gateway: string,
  key: string,
  consistency: 'local' | 'linearizable' = 'linearizable',
): Promise<Entry | null> {
  const { kv } = await demand<{ kv: Entry | null }>(gateway, 'get', { key, consistency });
  return kv;
}

/** Every key that begins with `prefix`, as this member has it. */
export async function entries(
  gateway: string,
  prefix: string,
  consistency: 'local' | 'linearizable' = 'linearizable',
): Promise<readonly Entry[]> {
  type Page = {
    readonly kvs: readonly Entry[];
    readonly revision: number;
    readonly after?: string;
  };
  const kvs: Entry[] = [];
  let page = await demand<Page>(gateway, 'range', { prefix, consistency });
  kvs.push(...page.kvs);
  // A gateway answers with what fits; all pages are of the first one's revision.
  while (page.after !== undefined) {
    const { revision, after } = page;
    page = await demand<Page>(gateway, 'range', { prefix, consistency, revision, after });
    kvs.push(...page.kvs);
  }
  return kvs;
}

/** A number among the metrics of a member; undefined where it has none of that name. */
export async function metric(gateway: string, name: string): Promise<number | undefined> {
  const response = await fetch(`${gateway}/metrics`);
  const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}

function doubt(message: string): Failure {
  return { ok: false, code: 'COMMIT_UNKNOWN', outcome: 'unknown', message, details: {} };
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && typeof cause === 'object' && cause !== null; depth++) {
    const { code, cause: next } = cause as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === 'string') codes.push(code);
    cause = next;
  }
  return codes;
}
