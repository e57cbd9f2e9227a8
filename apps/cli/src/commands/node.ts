/** `quorate node`: one member in one process, told as events. */
import type { ClusterStatus } from '@quorate/cluster';
import { QuorateError } from '@quorate/contracts';
import { startGateway } from '@quorate/gateway';
import type { GatewayTarget } from '@quorate/gateway';
import type { Run } from '../command.ts';
import { dialAddress, listenAddress } from '../addresses.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';
import { readSecretLines } from '../files.ts';
import { UsageError, positionals } from '../flags.ts';
import type { Flags } from '../flags.ts';
import { NodeReporter } from '../node-events.ts';
import { listeningOf, proxyNote } from '../listening.ts';
import { publicNote, secretOf } from '../secrets.ts';
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
  const given = await secretOf(flags);
  const listenAt = gatewayAddressOf(flags);
  const tokens = (await readSecretLines(flags, 'gateway-token-file', 'a token')) ?? [];
  const label = flags.text('label');
  const zone = flags.text('zone');
  const expect = flags.number('expect', 1);
  const listen = flags.list('listen').map(listenAddress);
  const announce = flags.list('announce').map(dialAddress);
  const open = publicNote(given, flags, [...relays.map(dialAddress), ...listen, ...announce]);
  const listening = await listeningOf(flags, output);

  let cluster: NodeCluster | null = null;
  // Before the member is made: a port that is taken leaves no trace on the disk.
  const gateway =
    listenAt === null
      ? null
      : await startGateway(
          targetOf(() => cluster),
          {
            ...listenAt,
            tokens,
            cors: flags.list('gateway-cors'),
            onUnexpected: (error) => {
              output.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
            },
          },
        );
  const reporter = new NodeReporter(output);
  // At once: with too few of them in reach there is no member that could say it later.
  const pin = pinNote(relays);
  if (pin !== null) output.note(pin);
  let stopListening = (): void => {};
  try {
    const { joinCluster } = await import('@quorate/join');
    const member: NodeCluster = joinCluster({
      namespace,
      relays: relays.map(dialAddress),
      secret: given.secrets,
      ...(dataDir === undefined ? { storage: 'memory' as const } : { dataDir }),
      ...(label === undefined ? {} : { label }),
      ...(zone === undefined ? {} : { zone }),
      ...(expect === undefined ? {} : { policy: { expect } }),
      ...(flags.boolean('new') ? { formation: 'new' as const } : {}),
      ...(flags.boolean('take-over') ? { takeOver: true } : {}),
      ...(listen.length === 0 ? {} : { listen }),
      ...(announce.length === 0 ? {} : { announce }),
      ...listening.options,
    });
    cluster = member;
    stopListening = member.on('error', ({ code, message }) => {
      const needsSecret = code === 'BAD_SECRET' && flags.text('secret-file') === undefined;
      const hint = needsSecret ? `; --secret-file names the file that holds it` : '';
      reporter.error({ code, message: `${message}${hint}` });
    });
    const proxy = proxyNote(listen, announce, listening.options);
    const notes = [open, placeNote(dataDir, flags), proxy].filter((note) => note !== null);
    const url = gateway?.url ?? null;
    const stopped = watchStatus(member, (status) => {
      if (isFinal(status)) {
        reporter.ending();
        return;
      }
      // Only what comes true is said: of a member that starts, not of one that is refused.
      if (status.clusterId !== null) for (const note of notes.splice(0)) output.note(note);
      if (status.nodeId !== null && member.peerId !== null) {
        const { peerId, addresses } = member;
        reporter.started({ nodeId: status.nodeId, peerId, addresses, gateway: url });
      }
      reporter.status(status);
    });
    await Promise.race([stopped, whenAborted(stop)]);
    if (stop.aborted) reporter.stopping();
  } finally {
    // The gateway first: what it began is carried out, and its clients go on elsewhere.
    await gateway?.close({ graceMs: gatewayGraceMs });
    await cluster?.close();
    stopListening();
    listening.stopHearing();
  }
  reporter.stopped();
  return stop.aborted ? exitCodes.done : endingCodeOf(cluster.status);
};

/** The gateway listens before there is a member: no request comes in between. */
function targetOf(cluster: () => NodeCluster | null): GatewayTarget {
  const member = (): NodeCluster => {
    const made = cluster();
    if (made === null) throw new QuorateError('CLOSED', 'This member is not started yet');
    return made;
  };
  return {
    get status() {
      return member().status;
    },
    get kv() {
      return member().kv;
    },
    members: () => member().members(),
    leave: (options) => member().leave(options),
    showRegister: (options) => member().showRegister(options),
    restoreRegister: (options) => member().restoreRegister(options),
    backup: (options) => member().backup(options),
    export: (options) => member().export(options),
  };
}

function placeNote(dataDir: string | undefined, flags: Flags): string | null {
  if (dataDir === undefined || flags.text('data') !== undefined) return null;
  return `Keeping data in ${dataDir} (--data names another place)`;
}

/** Which of several relays decides is worth a word; two of different groups decide nothing. */
function pinNote(relays: readonly string[]): string | null {
  if (relays.length < 2 || relays.some((relay) => relay.includes('#'))) return null;
  return (
    `Given ${relays.length} relays, and of none the group: a cluster is founded only while most of them are of ` +
    'one group and none of another; ADDR#GROUP says which one decides (quorate register show has it)'
  );
}

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

/** Asked for nothing but to run: what it was not able to do had no effect. */
function endingCodeOf({ reason }: ClusterStatus): number {
  const isDone = reason === null || reason === 'CLOSED' || reason === 'REMOVED';
  return isDone ? exitCodes.done : exitCodeOf({ code: reason, outcome: 'not-applied' });
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
