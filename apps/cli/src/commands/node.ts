/** `quorate node`: one member in one process, told as events. */
import type { ClusterStatus } from '@quorate/cluster';
import { startGateway } from '@quorate/gateway';
import type { Gateway, GatewayTarget } from '@quorate/gateway';
import type { Run } from '../command.ts';
import { dialAddress, listenAddress } from '../addresses.ts';
import { readLines } from '../files.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { NodeReporter } from '../node-events.ts';
import { whenAborted } from '../signals.ts';

/** What this command needs of the member that `joinCluster()` hands out. */
export type NodeCluster = GatewayTarget & {
  /** Known once the network is up. */
  readonly peerId: string | null;
  readonly addresses: readonly string[];
  /** Calls back now and after each change. */
  subscribe(listener: (status: ClusterStatus) => void): () => void;
  on(
    type: 'error',
    listener: (error: { readonly code: string; readonly message: string }) => void,
  ): () => void;
  /** Hands leadership over, flushes, and keeps the seat. */
  close(): Promise<void>;
};

export const runNode: Run = async (flags, { output, stop }) => {
  positionals(flags, [], 0);
  const namespace = flags.text('namespace');
  const relays = flags.list('relay');
  if (namespace === undefined) throw new UsageError('--namespace is missing');
  if (relays.length === 0) throw new UsageError('--relay is missing');
  const dataDir = dataDirOf(flags);
  const secretFile = flags.text('secret-file');
  const secret = secretFile === undefined ? 'public' : await readLines(secretFile, 'a secret');
  const listenAt = gatewayAddressOf(flags);
  const tokenFile = flags.text('gateway-token-file');
  const tokens = tokenFile === undefined ? [] : await readLines(tokenFile, 'a token');
  const label = flags.text('label');
  const zone = flags.text('zone');
  const expect = flags.number('expect', 1);
  const listen = flags.list('listen').map(listenAddress);
  const announce = flags.list('announce').map(dialAddress);

  if (dataDir !== undefined && flags.text('data') === undefined) {
    output.note(`Keeping data in ${dataDir} (--data names another place)`);
  }
  if (secretFile === undefined) {
    output.note(
      `Namespace ${namespace} is public: whoever reaches the relay can read and write it. ` +
        'Give members a --secret-file to keep it to yourself (quorate secret generate)',
    );
  }
  const { joinCluster } = await import('@quorate/join');
  const cluster: NodeCluster = joinCluster({
    namespace,
    relays: relays.map(dialAddress),
    secret,
    ...(dataDir === undefined ? { storage: 'memory' as const } : { dataDir }),
    ...(label === undefined ? {} : { label }),
    ...(zone === undefined ? {} : { zone }),
    ...(expect === undefined ? {} : { policy: { expect } }),
    ...(flags.boolean('new') ? { formation: 'new' as const } : {}),
    ...(flags.boolean('take-over') ? { takeOver: true } : {}),
    ...(listen.length === 0 ? {} : { listen }),
    ...(announce.length === 0 ? {} : { announce }),
  });

  const reporter = new NodeReporter(output);
  const stopListening = cluster.on('error', (error) => reporter.error(error));
  let gateway: Gateway | null = null;
  try {
    if (listenAt !== null) {
      gateway = await startGateway(cluster, {
        ...listenAt,
        tokens,
        cors: flags.list('gateway-cors'),
        onUnexpected: (error) => {
          output.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
        },
      });
    }
    const url = gateway?.url ?? null;
    const stopped = watchStatus(cluster, (status) => {
      if (isFinal(status)) {
        reporter.ending();
        return;
      }
      if (status.nodeId !== null && cluster.peerId !== null) {
        const { peerId, addresses } = cluster;
        reporter.started({ nodeId: status.nodeId, peerId, addresses, gateway: url });
      }
      reporter.status(status);
    });
    await Promise.race([stopped, whenAborted(stop)]);
    if (stop.aborted) reporter.stopping();
  } finally {
    // The gateway first: what it began is carried out, and its clients go on elsewhere.
    await gateway?.close({ graceMs: gatewayGraceMs });
    await cluster.close();
    stopListening();
  }
  reporter.stopped();
  return stop.aborted || cluster.status.reason === 'REMOVED' ? 0 : exitCodeOf(cluster.status);
};

/** Calls `see` now and at each change; resolves once the member has ended by itself. */
async function watchStatus(
  cluster: NodeCluster,
  see: (status: ClusterStatus) => void,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (status: ClusterStatus): void => {
      see(status);
      if (isFinal(status)) resolve();
    };
    cluster.subscribe(look);
  });
}

/** This run of the member is over. */
function isFinal(status: ClusterStatus): boolean {
  return status.phase === 'stopped' || status.phase === 'outdated' || status.phase === 'server';
}

function exitCodeOf(status: ClusterStatus): number {
  return status.reason === null || status.reason === 'CLOSED' ? 0 : 1;
}

/** Undefined: in memory. */
function dataDirOf(flags: Flags): string | undefined {
  const data = flags.text('data');
  if (!flags.boolean('ephemeral')) return data ?? './quorate-data';
  if (data !== undefined) throw new UsageError('Wanted --data or --ephemeral, not both');
  return undefined;
}

/** `HOST:PORT`, `PORT`, or a URL of them. */
function gatewayAddressOf(flags: Flags): { readonly host: string; readonly port: number } | null {
  const text = flags.text('gateway');
  if (text === undefined) {
    if (flags.text('gateway-token-file') !== undefined || flags.list('gateway-cors').length > 0) {
      throw new UsageError('--gateway is missing: the other gateway flags need it');
    }
    return null;
  }
  const match = /^(?:http:\/\/)?(?:(\[[0-9a-f:.]+\]|[^:/[\]]+):)?(\d{1,5})\/?$/i.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new UsageError(`Cannot use --gateway ${text}: wanted HOST:PORT, such as 127.0.0.1:7801`);
  }
  return { host: match[1] ?? '127.0.0.1', port };
}

const gatewayGraceMs = 3_000;
