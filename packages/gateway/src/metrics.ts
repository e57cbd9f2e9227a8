/** A member's numbers in Prometheus' text format 0.0.4. */
import type { ClusterStatus } from '@quorate/cluster';
import { metricsText } from '@quorate/contracts/metrics-text';
import type { Metric } from '@quorate/contracts/metrics-text';

/** What the gateway itself counts. */
export type GatewayCounters = {
  /** Calls answered, by code; `OK` for results. */
  readonly calls: ReadonlyMap<string, number>;
  readonly callsInFlight: number;
  readonly watches: number;
  /** Bodies of requests under way. */
  readonly requestBytes: number;
  /** Bodies of requests that wait for room. */
  readonly waitingRequestBytes: number;
  /** Answers that wait to be taken. */
  readonly answerBytes: number;
  /** Events that watches have not taken yet. */
  readonly watchBytes: number;
};

export function memberMetrics(status: ClusterStatus, gateway: GatewayCounters): string {
  const { raft } = status;
  const metrics: Metric[] = [];
  const metric = (
    name: string,
    type: Metric['type'],
    help: string,
    samples: Metric['samples'],
  ): void => {
    metrics.push({ name, type, help, samples });
  };
  const gauge = (name: string, help: string, value: number): void =>
    metric(name, 'gauge', help, [[{}, value]]);

  const { namespace, clusterId, nodeId, label } = status;
  metric('info', 'gauge', 'Names this member.', [
    [{ namespace, cluster_id: clusterId ?? '', node_id: nodeId ?? '', label }, 1],
  ]);
  metric('phase', 'gauge', 'The phase this member is in.', [[{ phase: status.phase }, 1]]);
  metric('role', 'gauge', 'The role of this member in consensus.', [[{ role: raft.role }, 1]]);
  gauge('can_write', '1 if a write would not be rejected at once.', status.canWrite ? 1 : 0);
  gauge('has_leader', '1 if this member knows a leader.', raft.leader === null ? 0 : 1);
  gauge('term', 'Current term.', raft.term);
  gauge('commit_index', 'Highest committed entry.', raft.commitIndex);
  gauge('applied_index', 'Highest applied entry.', raft.appliedIndex);
  gauge('first_index', 'First entry still in the log.', raft.firstIndex);
  gauge('last_index', 'Last entry of the log.', raft.lastIndex);
  gauge('snapshot_index', 'Last entry covered by the snapshot.', raft.snapshotIndex);
  gauge('epoch', 'How often this replica was opened.', raft.epoch);
  gauge('pending_writes', 'Writes under way at this member.', status.pendingWrites);
  const forgotten = status.registerLost !== null;
  gauge('register_lost', '1 if the register does not name this cluster.', forgotten ? 1 : 0);
  gauge('copies', 'Replicas known to hold everything committed.', status.copies);
  metric(
    'members',
    'gauge',
    'Members by kind and whether this one reaches them.',
    (['voter', 'learner'] as const).flatMap((kind) =>
      [true, false].map((reachable) => {
        const count = status.members.filter(
          (member) => member.kind === kind && member.reachable === reachable,
        ).length;
        return [{ kind, reachable: String(reachable) }, count] as const;
      }),
    ),
  );
  for (const [name, value] of Object.entries(raft.counters)) {
    metric(`${snakeCase(name)}_total`, 'counter', `Count of ${name}.`, [[{}, value]]);
  }
  metric(
    'gateway_calls_total',
    'counter',
    'Calls answered by the gateway, by code.',
    [...gateway.calls].map(([code, count]) => [{ code }, count] as const),
  );
  gauge('gateway_calls_in_flight', 'Calls the gateway works on.', gateway.callsInFlight);
  gauge('gateway_request_bytes', 'Bodies of requests under way.', gateway.requestBytes);
  gauge(
    'gateway_waiting_request_bytes',
    'Bodies of requests that wait for room.',
    gateway.waitingRequestBytes,
  );
  gauge('gateway_answer_bytes', 'Answers that wait to be taken.', gateway.answerBytes);
  gauge('gateway_watch_bytes', 'Events that watches have not taken.', gateway.watchBytes);
  gauge('gateway_watches', 'Open watches of the gateway.', gateway.watches);
  return metricsText(metrics);
}

function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^a-zA-Z0-9_]/g, '_')
    .toLowerCase();
}
