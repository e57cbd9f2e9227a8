/** `quorate status`, `quorate members`, `quorate leave` */
import type { Client, GatewayStatus, MemberSummary } from '@quorate/client';
import type { Run } from '../command.ts';
import { UsageError, positionals } from '../flags.ts';
import { clientOf } from '../gateway-client.ts';
import { shortId, table } from '../output.ts';

export const runStatus: Run = async (flags, { output }) => {
  positionals(flags, [], 0);
  const client = await clientOf(flags);
  const status = await client.status();
  const { namespace, clusterId, nodeId, phase, role, term, leader, commitIndex, appliedIndex } =
    status;
  output.result(
    {
      ...{ namespace, clusterId, nodeId, phase, role, term, leader, commitIndex, appliedIndex },
      members: status.members,
    },
    statusText(status),
  );
  return 0;
};

export const runMembers: Run = async (flags, { output }) => {
  positionals(flags, [], 0);
  const client = await clientOf(flags);
  const members = await client.members();
  output.result({ members }, membersText(members));
  return 0;
};

export const runLeave: Run = async (flags, { output }) => {
  positionals(flags, [], 0);
  const client = await clientOf(flags);
  const wanted = flags.text('node');
  const nodeId = wanted === undefined ? undefined : await fullId(client, wanted);
  const left = await client.leave({ ...(nodeId === undefined ? {} : { nodeId }) });
  output.result(left, `${shortId(left.nodeId)} is no member any more`);
  return 0;
};

/** The NodeId that `beginning` is the beginning of. */
async function fullId(client: Client, beginning: string): Promise<string> {
  const members = await client.members();
  const [match, other] = members.filter(({ nodeId }) => nodeId.startsWith(beginning));
  if (match === undefined) throw new UsageError(`No member's NodeId begins with ${beginning}`);
  if (other !== undefined) {
    throw new UsageError(`Several NodeIds begin with ${beginning}: wanted more of it`);
  }
  return match.nodeId;
}

function statusText(status: GatewayStatus): string {
  const leader = status.members.find((member) => member.nodeId === status.leader);
  const rows = [
    ['Cluster', `${status.namespace} (${status.clusterId ?? 'not formed yet'})`],
    ['Member', `${nameOf(status)}, ${status.role} in term ${status.term}`],
    ['State', `${status.phase}: ${status.message}`],
    ['Leader', leader === undefined ? shortId(status.leader) : nameOf(leader)],
    ['Log', `committed ${status.commitIndex}, applied ${status.appliedIndex}`],
    ['Copies', `${status.copies} (${status.durability})`],
  ];
  return `${table(rows)}\n\n${membersText(status.members)}`;
}

function membersText(members: readonly MemberSummary[]): string {
  if (members.length === 0) return 'No members are known yet';
  return table([
    ['MEMBER', 'LABEL', 'KIND', 'STATE'],
    ...members.map((member) => [
      shortId(member.nodeId),
      member.label === '' ? '-' : member.label,
      member.kind,
      `${member.reachable ? 'reachable' : 'unreachable'}${member.leader ? ', leader' : ''}`,
    ]),
  ]);
}

function nameOf(member: { readonly nodeId: string | null; readonly label: string }): string {
  const id = shortId(member.nodeId);
  return member.label === '' ? id : `${member.label} (${id})`;
}
