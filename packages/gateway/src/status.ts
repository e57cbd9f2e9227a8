/** A member's status as it goes over the wire. */
import type { GatewayStatus, MemberSummary } from '@quorate/client';
import type { ClusterStatus, MemberInfo } from '@quorate/cluster';

export function statusToWire(status: ClusterStatus): GatewayStatus {
  const { raft } = status;
  return {
    namespace: status.namespace,
    clusterId: status.clusterId,
    nodeId: status.nodeId,
    label: status.label,
    phase: status.phase,
    role: raft.role,
    term: raft.term,
    leader: raft.leader,
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    canWrite: status.canWrite,
    reason: status.reason,
    message: status.message,
    durability: status.durability,
    copies: status.copies,
    missing: status.missing.map(({ nodeId, label }) => ({ nodeId, label })),
    members: memberSummaries(status.members),
    forks: status.forks,
    ...(status.archived === undefined ? {} : { archived: status.archived }),
  };
}

export function memberSummaries(members: readonly MemberInfo[]): readonly MemberSummary[] {
  return members.map(({ nodeId, label, kind, reachable, leader }) => ({
    nodeId,
    label,
    kind,
    reachable,
    leader,
  }));
}
